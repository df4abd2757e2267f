// How values are carried over: numbers without a sign, and text that is no valid Unicode.
package dev.nibble

internal fun Int.unsigned(argument: String): UInt {
    if (this < 0) throw notNegative(argument, toLong())
    return toUInt()
}

internal fun Long.unsigned(argument: String): ULong {
    if (this < 0) throw notNegative(argument, this)
    return toULong()
}

private fun notNegative(argument: String, found: Long) = NibbleException.InvalidArgument(
    "invalid_argument",
    "invalid $argument: expected 0 or more, found $found",
    null,
    argument,
    "0 or more",
    found.toString(),
)

internal fun UInt.signed(): Int = coerceAtMost(Int.MAX_VALUE.toUInt()).toInt()

internal fun ULong.signed(): Long = coerceAtMost(Long.MAX_VALUE.toULong()).toLong()

/**
 * The text with U+FFFD for every half of a surrogate pair that stands alone. Windows of a text field that are counted
 * in UTF-16 can cut a character in two; the length in UTF-16 stays the same.
 */
internal fun String.wellFormed(): String {
    var repaired: StringBuilder? = null
    var index = 0
    while (index < length) {
        val unit = this[index]
        when {
            !unit.isSurrogate() -> index += 1
            unit.isHighSurrogate() && index + 1 < length && this[index + 1].isLowSurrogate() -> index += 2
            else -> {
                val builder = repaired ?: StringBuilder(this).also { repaired = it }
                builder.setCharAt(index, '\uFFFD')
                index += 1
            }
        }
    }
    return repaired?.toString() ?: this
}
