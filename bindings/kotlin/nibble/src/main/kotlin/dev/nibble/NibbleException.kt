package dev.nibble

import dev.nibble.internal.InternalException
import dev.nibble.internal.NibbleException as NativeException
import java.nio.charset.CharacterCodingException

/**
 * What went wrong. The class says what an app can do about it.
 *
 * The message is a sentence in English for developers, which never holds typed text. Sizes count bytes unless they
 * say otherwise.
 *
 * @property code the exact and stable name, in `snake_case`
 */
public sealed class NibbleException(
    public val code: String,
    message: String,
    cause: Throwable?,
) : RuntimeException(message, cause) {

    /**
     * There is no such file.
     *
     * @property file the file
     */
    public class NotFound internal constructor(code: String, message: String, cause: Throwable?, public val file: String) :
        NibbleException(code, message, cause)

    /**
     * The system refused to open, read, map or write: a directory, no permission, a full disk.
     *
     * @property file the file
     */
    public class Io internal constructor(code: String, message: String, cause: Throwable?, public val file: String) :
        NibbleException(code, message, cause)

    /**
     * The file is something else.
     *
     * @property file the file
     */
    public class WrongFormat internal constructor(code: String, message: String, cause: Throwable?, public val file: String) :
        NibbleException(code, message, cause)

    /**
     * The file ends before something that it promises: a download was cut off.
     *
     * @property file the file
     * @property needed bytes that are needed
     * @property available bytes that are there
     */
    public class Truncated internal constructor(
        code: String,
        message: String,
        cause: Throwable?,
        public val file: String,
        public val needed: Long,
        public val available: Long,
    ) : NibbleException(code, message, cause)

    /**
     * The file contradicts itself.
     *
     * @property file the file; empty where it was given as bytes
     * @property expected what belongs there
     * @property found what is there
     */
    public class Damaged internal constructor(
        code: String,
        message: String,
        cause: Throwable?,
        public val file: String,
        public val expected: String,
        public val found: String,
    ) : NibbleException(code, message, cause)

    /**
     * The file is in order, and asks for what this version does not have.
     *
     * @property file the file
     * @property found what it asks for
     */
    public class Unsupported internal constructor(
        code: String,
        message: String,
        cause: Throwable?,
        public val file: String,
        public val found: String,
    ) : NibbleException(code, message, cause)

    /**
     * The file became shorter, or was replaced, while it was mapped.
     *
     * @property file the file
     * @property expected its length when it was opened
     * @property found its length now
     */
    public class FileChanged internal constructor(
        code: String,
        message: String,
        cause: Throwable?,
        public val file: String,
        public val expected: Long,
        public val found: Long,
    ) : NibbleException(code, message, cause)

    /**
     * The file's checksum is another one.
     *
     * @property file the file
     * @property expected SHA-256 that it should have, in hexadecimal
     * @property found SHA-256 that it has
     */
    public class ChecksumMismatch internal constructor(
        code: String,
        message: String,
        cause: Throwable?,
        public val file: String,
        public val expected: String,
        public val found: String,
    ) : NibbleException(code, message, cause)

    /**
     * The model needs more memory than the limit that was given.
     *
     * @property file the file
     * @property needed bytes that it needs
     * @property available bytes that the limit allows
     */
    public class MemoryLimit internal constructor(
        code: String,
        message: String,
        cause: Throwable?,
        public val file: String,
        public val needed: Long,
        public val available: Long,
    ) : NibbleException(code, message, cause)

    /**
     * A file that was to be written does not fit the disk; nothing is left of it.
     *
     * @property file the file that was to be written
     * @property needed bytes that it needs
     * @property available bytes that are free for this user
     */
    public class DiskSpace internal constructor(
        code: String,
        message: String,
        cause: Throwable?,
        public val file: String,
        public val needed: Long,
        public val available: Long,
    ) : NibbleException(code, message, cause)

    /**
     * Memory could not be had.
     *
     * @property needed bytes asked for
     */
    public class OutOfMemory internal constructor(code: String, message: String, cause: Throwable?, public val needed: Long) :
        NibbleException(code, message, cause)

    /**
     * The text does not fit the session's context.
     *
     * @property needed tokens that it would take
     * @property available tokens that the session has room for
     */
    public class ContextFull internal constructor(
        code: String,
        message: String,
        cause: Throwable?,
        public val needed: Long,
        public val available: Long,
    ) : NibbleException(code, message, cause)

    /**
     * An argument outside its range; nothing was done.
     *
     * @property argument the argument
     * @property expected what is allowed
     * @property found what was given; empty for text, which is not repeated
     */
    public class InvalidArgument internal constructor(
        code: String,
        message: String,
        cause: Throwable?,
        public val argument: String,
        public val expected: String,
        public val found: String,
    ) : NibbleException(code, message, cause)

    /**
     * The work was cancelled because its session was closed. The cancellation of a coroutine is no such error: it
     * is a `CancellationException`, as everywhere.
     */
    public class Cancelled internal constructor(code: String, message: String, cause: Throwable?) :
        NibbleException(code, message, cause)

    /** Another thread is using the object. */
    public class Busy internal constructor(code: String, message: String, cause: Throwable?) :
        NibbleException(code, message, cause)

    /** The object, or one that it stands on, was closed. */
    public class Closed internal constructor(code: String, message: String, cause: Throwable?) :
        NibbleException(code, message, cause)

    /**
     * Another process, or another object of this one, writes to the file.
     *
     * @property file the file
     */
    public class InUse internal constructor(code: String, message: String, cause: Throwable?, public val file: String) :
        NibbleException(code, message, cause)

    /** It was opened for reading only. */
    public class ReadOnly internal constructor(code: String, message: String, cause: Throwable?) :
        NibbleException(code, message, cause)

    /** A bug in Nibble; please report it. */
    public class Internal internal constructor(code: String, message: String, cause: Throwable?) :
        NibbleException(code, message, cause)
}

/** Calls into the library; what it throws comes as a [NibbleException]. */
internal inline fun <T> nativeCall(call: () -> T): T = try {
    call()
} catch (error: NativeException) {
    throw error.translated()
} catch (error: InternalException) {
    // A panic, or a value that could not be carried over.
    throw NibbleException.Internal("internal", error.message ?: "a panic", error)
} catch (error: CharacterCodingException) {
    throw NibbleException.Internal("internal", "a text could not be carried over", error)
} catch (error: IllegalStateException) {
    // What the generated code throws for an object that is gone.
    throw NibbleException.Closed("closed", "the object was closed", error)
}

internal fun NativeException.translated(): NibbleException = when (this) {
    is NativeException.NotFound -> NibbleException.NotFound(code, detail, this, file)
    is NativeException.Io -> NibbleException.Io(code, detail, this, file)
    is NativeException.WrongFormat -> NibbleException.WrongFormat(code, detail, this, file)
    is NativeException.Truncated ->
        NibbleException.Truncated(code, detail, this, file, needed.signed(), available.signed())
    is NativeException.Damaged -> NibbleException.Damaged(code, detail, this, file, expected, found)
    is NativeException.Unsupported -> NibbleException.Unsupported(code, detail, this, file, found)
    is NativeException.FileChanged ->
        NibbleException.FileChanged(code, detail, this, file, expected.signed(), found.signed())
    is NativeException.ChecksumMismatch -> NibbleException.ChecksumMismatch(code, detail, this, file, expected, found)
    is NativeException.MemoryLimit ->
        NibbleException.MemoryLimit(code, detail, this, file, needed.signed(), available.signed())
    is NativeException.OutOfMemory -> NibbleException.OutOfMemory(code, detail, this, needed.signed())
    is NativeException.DiskSpace ->
        NibbleException.DiskSpace(code, detail, this, file, needed.signed(), available.signed())
    is NativeException.ContextFull ->
        NibbleException.ContextFull(code, detail, this, needed.signed(), available.signed())
    is NativeException.InvalidArgument -> NibbleException.InvalidArgument(code, detail, this, argument, expected, found)
    is NativeException.Cancelled -> NibbleException.Cancelled(code, detail, this)
    is NativeException.Busy -> NibbleException.Busy(code, detail, this)
    is NativeException.Closed -> NibbleException.Closed(code, detail, this)
    is NativeException.InUse -> NibbleException.InUse(code, detail, this, file)
    is NativeException.ReadOnly -> NibbleException.ReadOnly(code, detail, this)
    is NativeException.Internal -> NibbleException.Internal(code, detail, this)
}
