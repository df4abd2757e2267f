package dev.nibble

import dev.nibble.internal.LogLevel as NativeLogLevel
import dev.nibble.internal.Logs as NativeLogs
import java.io.Closeable

/** How much a record matters. */
public enum class LogLevel(internal val native: NativeLogLevel) {
    /** Something failed. */
    ERROR(NativeLogLevel.ERROR),

    /** Something is not as it should be. */
    WARN(NativeLogLevel.WARN),

    /** What happens rarely. */
    INFO(NativeLogLevel.INFO),

    /** What happens often. */
    DEBUG(NativeLogLevel.DEBUG),

    /** What happens all the time. */
    TRACE(NativeLogLevel.TRACE),
    ;

    internal companion object {
        fun of(native: NativeLogLevel) = entries.first { it.native == native }
    }
}

/**
 * One record.
 *
 * @property level how much it matters
 * @property target the part of the library that it comes from
 * @property message what it says; never typed text
 * @property time when, in milliseconds since 1970
 */
public data class LogRecord(val level: LogLevel, val target: String, val message: String, val time: Long)

/**
 * The library's log: counts and times, never text. On Android records go to the system's log under the tag `nibble`;
 * elsewhere the latest 256 are kept until they are drained. Nothing is logged before the first object of this kind
 * exists. All objects stand for the same log.
 */
public class Logs private constructor(private val native: NativeLogs) : Closeable {

    /** The log, from this level on. */
    public constructor(level: LogLevel) : this(nativeCall { NativeLogs(level.native) })

    /** Changes the level. */
    public fun setLevel(level: LogLevel) {
        nativeCall { native.setLevel(level.native) }
    }

    /**
     * Takes the records that came since the last call, oldest first. Where more came than are kept, the first record
     * says how many are missing.
     */
    public fun drain(): List<LogRecord> = nativeCall { native.drain() }
        .map { LogRecord(LogLevel.of(it.level), it.target, it.message, it.time.signed()) }

    /** Gives this object up; the log goes on. */
    override fun close() {
        native.close()
    }
}
