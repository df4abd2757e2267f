package dev.nibble.keyboard

import kotlin.math.ceil

/** Durations in milliseconds, the latest ones. For one thread. */
class Durations {
    private val latest = ArrayDeque<Double>()

    /** How many are known. */
    val count get() = latest.size

    fun add(milliseconds: Double) {
        latest += milliseconds
        if (latest.size > REMEMBERED) latest.removeFirst()
    }

    /** The smallest duration that this share of all does not exceed; null without any. */
    fun quantile(share: Double): Double? =
        latest.sorted().getOrNull((ceil(share * latest.size).toInt() - 1).coerceAtLeast(0))

    fun clear() = latest.clear()

    private companion object {
        const val REMEMBERED = 1000
    }
}
