package dev.nibble

import dev.nibble.internal.ModelFile as NativeModelFile
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.withContext
import java.io.Closeable
import java.io.File

/**
 * What a model file holds.
 *
 * @property bytes size of the file
 * @property name its name; empty where the file has none
 * @property license the licence that its weights are under, as the file gives it: an SPDX expression such as `apache-2.0`;
 *   empty where the file does not say
 * @property architecture the network that it is for, such as `llama`; empty where the file does not say
 * @property parameters number of weights
 * @property tensors number of tensors
 * @property memory bytes of memory that it takes with the options given; null where this version does not run it
 */
public data class ModelFileInfo(
    val bytes: Long,
    val name: String,
    val license: String,
    val architecture: String,
    val parameters: Long,
    val tensors: Int,
    val memory: MemoryEstimate?,
)

/**
 * How far a verification is.
 *
 * @property done bytes hashed so far
 * @property total bytes of the file
 */
public data class VerificationProgress(val done: Long, val total: Long)

/**
 * How far a preparation is, in bytes of work, which are more than the file has: it is read twice.
 *
 * @property done so far
 * @property total in all
 */
public data class PreparationProgress(val done: Long, val total: Long)

/** A file that should be a model, before it is opened: is it whole, and what is in it? */
public class ModelFile private constructor(private val native: NativeModelFile) : Closeable {

    /** What the file holds: its header is read and checked, its weights are not. */
    public suspend fun inspect(options: ModelOptions = ModelOptions()): ModelFileInfo {
        val asked = options.native()
        val info = withContext(nibbleDispatcher) { nativeCall { native.inspect(asked) } }
        return ModelFileInfo(
            info.bytes.signed(),
            info.name,
            info.license,
            info.architecture,
            info.parameters.signed(),
            info.tensors.signed(),
            info.memory?.let(MemoryEstimate::of),
        )
    }

    /**
     * Compares the file's SHA-256 with [sha256], 64 hexadecimal digits, and tells how far it is. The flow is cold,
     * and fails with [NibbleException.ChecksumMismatch] at its end where the file has another checksum.
     */
    public fun verify(sha256: String): Flow<VerificationProgress> =
        steps({ native.verify(sha256.wellFormed()) }) { verification ->
            verification.next()?.let { VerificationProgress(it.done.signed(), it.total.signed()) }
        }

    /**
     * Writes the file's prepared form, which runs faster and is about as large, to [destination], or beside the file,
     * where [Model.open] finds it; and tells how far it is. It appears only when it is whole and on the disk; of a
     * flow that is cancelled nothing is left. The flow is cold, and fails with [NibbleException.DiskSpace], or with
     * [NibbleException.Unsupported] for a file that is prepared already.
     *
     * @param lexicons files of lexicons, one for each language, of which it carries copies: [Model.lexicons] opens them
     */
    public fun prepare(destination: File? = null, lexicons: List<File> = emptyList()): Flow<PreparationProgress> =
        steps({ native.prepare(destination?.path, lexicons.map { it.path }) }) { preparation ->
            preparation.next()?.let { PreparationProgress(it.done.signed(), it.total.signed()) }
        }

    /** What [next] gives of the work that [begin] begins, until it gives null; then the work is given up. */
    private fun <Work : AutoCloseable, Step : Any> steps(begin: () -> Work, next: (Work) -> Step?): Flow<Step> = flow {
        nativeCall(begin).use { work ->
            while (true) emit(nativeCall { next(work) } ?: break)
        }
    }.flowOn(nibbleDispatcher)

    /** Closes the descriptor, where there is one. */
    override fun close() {
        native.close()
    }

    /** Ways to name a file. */
    public companion object {
        /** The file at a path. Nothing is read yet. */
        public fun at(file: File): ModelFile = ModelFile(nativeCall { NativeModelFile.atPath(file.path) })

        /**
         * [length] bytes from byte [offset] of an open descriptor, which stays the caller's.
         *
         * @param name stands for the file in errors
         */
        public fun atDescriptor(descriptor: Int, offset: Long, length: Long, name: String): ModelFile {
            val (from, count) = offset.unsigned("offset") to length.unsigned("length")
            return ModelFile(nativeCall { NativeModelFile.atDescriptor(descriptor, from, count, name.wellFormed()) })
        }
    }
}
