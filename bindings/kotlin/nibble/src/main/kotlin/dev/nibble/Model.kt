package dev.nibble

import dev.nibble.internal.Activations as NativeActivations
import dev.nibble.internal.KvFormat as NativeKvFormat
import dev.nibble.internal.MemoryEstimate as NativeMemoryEstimate
import dev.nibble.internal.Model as NativeModel
import dev.nibble.internal.ModelOptions as NativeModelOptions
import dev.nibble.internal.Priority as NativePriority
import java.io.Closeable
import java.io.File

/** How the inputs of matrix products are held. */
public enum class Activations(internal val native: NativeActivations) {
    /** 8 bits: fastest. */
    Q8(NativeActivations.Q8),

    /** Twice 8 bits: nearly exact. */
    Q16(NativeActivations.Q16),

    /** 32-bit floating point: exact. */
    F32(NativeActivations.F32),
}

/** How a session stores keys and values. */
public enum class KvFormat(internal val native: NativeKvFormat) {
    /** 16-bit floating point. */
    F16(NativeKvFormat.F16),

    /** 32-bit floating point. */
    F32(NativeKvFormat.F32),

    /** 8 bits, with a scale for every 32 values. */
    Q8(NativeKvFormat.Q8),
}

/** How urgently the threads that compute want a core while others want it, too. */
public enum class Priority(internal val native: NativePriority) {
    /** As the system has it. */
    NORMAL(NativePriority.NORMAL),

    /** Somebody waits for the result: they are as urgent as what is displayed. */
    INTERACTIVE(NativePriority.INTERACTIVE),
}

/**
 * How a model is opened.
 *
 * @property threads threads that compute, the caller's included; 0 for one on each big core
 * @property priority how urgently they want a core while others want it, too; the caller's thread has its own priority
 *   back after each pass
 * @property context tokens that sessions hold unless they ask for others; 0 for 4096 or what the model allows,
 *   whichever is less
 * @property activations how sessions hold activations unless they ask for another way; null for what suits the
 *   model's size
 * @property kvFormat how sessions store keys and values unless they ask for another way; null for 16 bits
 * @property memoryLimit bytes that the model and one session may take: opening fails with
 *   [NibbleException.MemoryLimit] where [MemoryEstimate.total] is more; null for no limit
 * @property backend what runs the network. Where the chosen one fails, our own kernels go on, and [Model.backend] says
 *   why; one that this build does not have is a [NibbleException.InvalidArgument]
 */
public data class ModelOptions(
    val threads: Int = 0,
    val priority: Priority = Priority.INTERACTIVE,
    val context: Int = 0,
    val activations: Activations? = null,
    val kvFormat: KvFormat? = null,
    val memoryLimit: Long? = null,
    val backend: Backend = Backend.CPU,
) {
    internal fun native() = NativeModelOptions(
        threads.unsigned("threads"),
        priority.native.takeIf { priority != Priority.INTERACTIVE },
        context.unsigned("context"),
        activations?.native,
        kvFormat?.native,
        memoryLimit?.unsigned("memoryLimit"),
        backend.native.takeIf { backend != Backend.CPU },
    )
}

/**
 * Bytes of memory that a model with one session takes when the session's context is full.
 *
 * @property mapped weights: pages of the mapped file, which the system can drop and read again
 * @property kvCache keys and values of a full context
 * @property buffers buffers of a forward pass
 * @property total all of it
 */
public data class MemoryEstimate(val mapped: Long, val kvCache: Long, val buffers: Long, val total: Long) {
    internal companion object {
        fun of(native: NativeMemoryEstimate) = MemoryEstimate(
            native.mapped.signed(),
            native.kvCache.signed(),
            native.buffers.signed(),
            native.total.signed(),
        )
    }
}

/**
 * What a model says about itself.
 *
 * @property file the file
 * @property bytes size of the file
 * @property name its name; empty where the file has none
 * @property architecture the network, such as `llama`
 * @property parameters number of weights
 * @property vocabulary number of tokens of the vocabulary
 * @property contextLength positions that the model may see
 * @property layers transformer layers
 */
public data class ModelInfo(
    val file: String,
    val bytes: Long,
    val name: String,
    val architecture: String,
    val parameters: Long,
    val vocabulary: Int,
    val contextLength: Int,
    val layers: Int,
)

/**
 * A model, mapped and immutable; any number of sessions and typing engines share it.
 *
 * Its functions may be called from every thread. After [close] they throw [NibbleException.Closed]; sessions and
 * typing engines that were made with it keep it until they are closed themselves. A model that is forgotten is
 * closed when it is collected.
 */
public class Model internal constructor(internal val native: NativeModel) : Closeable {

    /** What the model says about itself. */
    public fun info(): ModelInfo {
        val info = nativeCall { native.info() }
        return ModelInfo(
            info.file,
            info.bytes.signed(),
            info.name,
            info.architecture,
            info.parameters.signed(),
            info.vocabulary.signed(),
            info.contextLength.signed(),
            info.layers.signed(),
        )
    }

    /** The lexicons that its prepared file carries, sorted by language and mapped with it; none where it carries none. */
    public fun lexicons(): List<Lexicon> = nativeCall { native.lexicons() }.map(::Lexicon)

    /** What runs the network now. */
    public fun backend(): BackendStatus {
        val status = nativeCall { native.backend() }
        return BackendStatus(status.name, status.fallback)
    }

    /** Bytes of memory that the model with one session of these options takes. */
    public fun memoryEstimate(options: SessionOptions = SessionOptions()): MemoryEstimate {
        val asked = options.native()
        return MemoryEstimate.of(nativeCall { native.memoryEstimate(asked) })
    }

    /** An empty session. */
    public fun newSession(options: SessionOptions = SessionOptions()): Session {
        val asked = options.native()
        return Session(nativeCall { native.newSession(asked) })
    }

    /**
     * The tokens of a text.
     *
     * @param parseSpecialTokens reads the names of special tokens, such as `<|im_end|>`, as those tokens; leave it
     *   off for what users typed
     */
    public fun encode(text: String, parseSpecialTokens: Boolean = false): List<Int> =
        nativeCall { native.encode(text.wellFormed(), parseSpecialTokens) }.map { it.toInt() }

    /** The text of tokens. */
    public fun decode(tokens: List<Int>): String {
        val asked = tokens.map { it.unsigned("token") }
        return nativeCall { native.decode(asked) }
    }

    /** Gives the model up; sessions and typing engines that were made with it keep it until they are closed. */
    override fun close() {
        giveUp { native.release() }
    }

    /** Ways to open a model. */
    public companion object {
        /**
         * Maps the GGUF file and checks all that it says; nothing is copied. The file must not be changed while the
         * model is open; replace it by renaming another over it.
         */
        public suspend fun open(file: File, options: ModelOptions = ModelOptions()): Model {
            val asked = options.native()
            return opening { Model(NativeModel.open(file.path, asked)) }
        }

        /**
         * Maps [length] bytes from byte [offset] of an open descriptor: a model that lies uncompressed in another
         * file, such as an Android package. The descriptor stays the caller's and may be closed afterwards.
         *
         * @param name stands for the file in errors
         */
        public suspend fun openDescriptor(
            descriptor: Int,
            offset: Long,
            length: Long,
            name: String,
            options: ModelOptions = ModelOptions(),
        ): Model {
            val asked = options.native()
            val (from, count) = offset.unsigned("offset") to length.unsigned("length")
            return opening { Model(NativeModel.openDescriptor(descriptor, from, count, name.wellFormed(), asked)) }
        }
    }
}
