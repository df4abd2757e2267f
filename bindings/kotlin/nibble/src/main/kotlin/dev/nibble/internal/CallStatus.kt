package dev.nibble.internal

/**
 * Where a call into the library says how it ended; `scripts/generate-bindings` has the generated code use it in place of
 * a new [UniffiRustCallStatus] for each call. JNA keeps account of the native memory of every structure until the
 * garbage collector has found it, which costs more than the calls.
 *
 * A thread's calls are in the library one after the other: values are lowered before a call and lifted after it.
 */
internal fun callStatus(): UniffiRustCallStatus {
    val status = statuses.get()
    if (status.isSuccess()) return status
    // The error in it may be being read.
    return ReusedCallStatus().also(statuses::set)
}

private val statuses = object : ThreadLocal<UniffiRustCallStatus>() {
    override fun initialValue() = ReusedCallStatus()
}

/** A status that is carried over only where it says something: the library finds it as a call that succeeded left it. */
internal class ReusedCallStatus : UniffiRustCallStatus() {
    override fun write() = Unit

    override fun read() {
        code = pointer.getByte(0)
        if (!isSuccess()) super.read()
    }
}
