package dev.nibble

import dev.nibble.internal.BackendChoice as NativeBackendChoice
import dev.nibble.internal.availableBackends as nativeAvailableBackends

/** What runs a network, and on what. */
public enum class Backend(internal val native: NativeBackendChoice) {
    /** Our own kernels on the processor: in every build. */
    CPU(NativeBackendChoice.CPU),

    /** Candle on a graphics processor, where this build knows one and the machine has it; else our own kernels. */
    AUTO(NativeBackendChoice.AUTO),

    /** Candle on the processor: a check of our kernels, slower than they are. */
    CANDLE(NativeBackendChoice.CANDLE),

    /** Candle on Apple's graphics processors. */
    METAL(NativeBackendChoice.METAL),

    /** Candle on NVIDIA's. */
    CUDA(NativeBackendChoice.CUDA),
    ;

    /** Which backends there are. */
    public companion object {
        /** All of them, and which this build and machine can use. Those that the build has are tried. */
        public fun available(): List<BackendAvailability> = nativeCall { nativeAvailableBackends() }.map { found ->
            BackendAvailability(entries.first { it.native == found.backend }, found.usable, found.remark)
        }
    }
}

/**
 * A backend, and whether it can be used here.
 *
 * @property backend the backend
 * @property usable whether this build has it and this machine can run it
 * @property remark why it cannot be used, or in what it is limited
 */
public data class BackendAvailability(val backend: Backend, val usable: Boolean, val remark: String?)

/**
 * What runs the network of a model now.
 *
 * @property name `cpu` for our own kernels, or `candle`
 * @property fallback why the backend that was chosen does not run it; null while it does
 */
public data class BackendStatus(val name: String, val fallback: String?)
