package dev.nibble.android

import android.content.Context
import android.os.Build
import android.os.PowerManager
import android.os.SystemClock

/** How much may be computed. */
public enum class ComputeLevel {
    /** No model: suggestions from the lexicons. */
    LEXICONS_ONLY,

    /** A small model, or the usual one without look-ahead. */
    REDUCED,

    /** Everything. */
    FULL,
}

/**
 * How much may be computed without the device getting hot or empty, by its thermal headroom (Android 11), its thermal
 * status (Android 10) and its battery saver. Not for use by several threads at once.
 */
public class ComputeBudget internal constructor(
    private val power: PowerManager,
    private val headroom: (seconds: Int) -> Float,
    private val clock: () -> Long,
) {
    /** The budget of this device. */
    public constructor(context: Context) : this(context.getSystemService(Context.POWER_SERVICE) as PowerManager)

    private constructor(power: PowerManager) : this(
        power,
        { seconds -> if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) power.getThermalHeadroom(seconds) else Float.NaN },
        SystemClock::elapsedRealtime,
    )

    private var level = ComputeLevel.FULL
    private var asked: Long? = null

    /**
     * The level now. Cheap enough for every word: the system is asked once in [INTERVAL_MILLISECONDS], because it
     * answers nothing when it is asked more often than once a second.
     */
    public fun level(): ComputeLevel {
        val now = clock()
        val last = asked
        if (last == null || now - last >= INTERVAL_MILLISECONDS) {
            asked = now
            level = minOf(thermal(), if (power.isPowerSaveMode) ComputeLevel.REDUCED else ComputeLevel.FULL)
        }
        return level
    }

    private fun thermal(): ComputeLevel {
        val forecast = headroom(FORECAST_SECONDS)
        // NaN where the device does not tell.
        if (!forecast.isNaN()) return levelAt(forecast)
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) {
            return when {
                power.currentThermalStatus >= PowerManager.THERMAL_STATUS_SEVERE -> ComputeLevel.LEXICONS_ONLY
                power.currentThermalStatus >= PowerManager.THERMAL_STATUS_MODERATE -> ComputeLevel.REDUCED
                else -> ComputeLevel.FULL
            }
        }
        return ComputeLevel.FULL
    }

    /** At 1 the device throttles severely. Once it is reduced it must have cooled down a little to go back. */
    private fun levelAt(headroom: Float): ComputeLevel {
        fun limit(below: ComputeLevel, value: Float) = if (level <= below) value - MARGIN else value
        return when {
            headroom >= limit(ComputeLevel.LEXICONS_ONLY, SEVERE) -> ComputeLevel.LEXICONS_ONLY
            headroom >= limit(ComputeLevel.REDUCED, WARM) -> ComputeLevel.REDUCED
            else -> ComputeLevel.FULL
        }
    }

    /** How often the system is asked. */
    public companion object {
        /** Milliseconds between two questions to the system. */
        public const val INTERVAL_MILLISECONDS: Long = 10_000
        private const val FORECAST_SECONDS = 10
        private const val SEVERE = 1f
        private const val WARM = 0.85f
        private const val MARGIN = 0.05f
    }
}
