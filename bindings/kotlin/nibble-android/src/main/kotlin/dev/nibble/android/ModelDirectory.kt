package dev.nibble.android

import android.content.Context
import dev.nibble.ModelFile
import dev.nibble.NibbleException
import dev.nibble.PreparationProgress
import dev.nibble.VerificationProgress
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.emitAll
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.withContext
import java.io.File
import java.io.IOException

/**
 * Where an app keeps its models: a folder of its own that is neither backed up nor cleared with the cache.
 *
 * A model gets its name only when it is whole, so that nobody opens half a download, whatever ends the process.
 */
public class ModelDirectory(context: Context) {

    /** The folder. */
    public val directory: File = context.noBackupFilesDir.resolve("nibble/models")

    /** The model of this name, or null where there is none. */
    public fun find(name: String): File? = place(name).takeIf { it.isFile }

    /** The models that are there, in alphabetical order. */
    public fun list(): List<File> =
        directory.listFiles { file -> file.isFile && file.extension == "gguf" }.orEmpty().sorted()

    /** Bytes that can still be written here. */
    public fun usableBytes(): Long {
        directory.mkdirs()
        return directory.usableSpace
    }

    /** Where a download of this model is written until [install] takes it; what is there may be continued. */
    public fun partial(name: String): File {
        directory.mkdirs()
        return place("$name.part")
    }

    /**
     * Gives the download in [partial] its name, if it has this checksum.
     *
     * @param sha256 SHA-256 of the model, 64 hexadecimal digits
     * @param progress told how far the check is; where it throws, the download stays in [partial]
     * @return the model
     * @throws NibbleException.ChecksumMismatch where it has another one; the download is removed, because what it was
     *   begun with cannot be mended
     */
    public suspend fun install(name: String, sha256: String, progress: (VerificationProgress) -> Unit = {}): File {
        val partial = partial(name)
        val model = place(name)
        try {
            ModelFile.at(partial).use { it.verify(sha256).collect { step -> progress(step) } }
        } catch (error: NibbleException.ChecksumMismatch) {
            partial.delete()
            throw error
        }
        withContext(Dispatchers.IO) { partial.replaces(model) }
        return model
    }

    /**
     * Puts the prepared form of a model in its place, which runs faster and is about as large, and tells how far it is.
     * The flow is cold. Where it fails or is cancelled, the model stays as it is.
     *
     * @throws NibbleException.Unsupported where the model is prepared already
     * @throws NibbleException.DiskSpace where there is no room for both
     */
    public fun prepare(name: String): Flow<PreparationProgress> = flow {
        val (model, prepared) = place(name) to place("$name.prepared.part")
        ModelFile.at(model).use { emitAll(it.prepare(prepared)) }
        prepared.replaces(model)
    }.flowOn(Dispatchers.IO)

    /** Removes a model and what was downloaded or prepared of it. Says whether anything was there. */
    public fun remove(name: String): Boolean {
        // The last is what the library writes until the prepared form is whole.
        val endings = listOf("", ".part", ".prepared.part", ".prepared.part.part")
        return endings.count { place(name + it).delete() } > 0
    }

    /** One step: a model that is mapped under this name stays what it is. */
    private fun File.replaces(model: File) {
        if (!renameTo(model)) throw IOException("$this cannot be renamed to $model")
    }

    private fun place(name: String): File {
        require(name.isNotEmpty() && '/' !in name && !name.startsWith(".")) { "a model's name is a plain file name" }
        return directory.resolve(name)
    }
}
