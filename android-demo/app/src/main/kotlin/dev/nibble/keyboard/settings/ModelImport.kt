package dev.nibble.keyboard.settings

import android.content.Context
import android.net.Uri
import android.os.Handler
import android.os.Looper
import android.provider.OpenableColumns
import dev.nibble.ModelFile
import dev.nibble.NibbleException
import dev.nibble.android.ModelDirectory
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.flow.takeWhile
import kotlinx.coroutines.runBlocking
import java.io.File
import java.io.IOException
import java.security.MessageDigest
import kotlin.concurrent.thread

/**
 * Copies a model file into the app, one at a time. It goes on while its page is turned or left, and leaves nothing
 * behind where it fails, is cancelled or ends with the process. For the main thread.
 *
 * @param onInstalled told the name of a model that was installed
 */
class ModelImport(private val context: Context, private val onInstalled: (name: String) -> Unit) {
    private val models = ModelDirectory(context)
    private val main = Handler(Looper.getMainLooper())

    @Volatile
    private var isCancelled = false

    /** How far an import is. */
    sealed interface State {
        /** None was begun, or the last one was cancelled. */
        data object Idle : State

        /** [done] of [total] bytes are copied; the total is 0 where the file's owner does not tell. */
        data class Copying(val done: Long, val total: Long) : State

        /** The copy is checked. */
        data object Checking : State

        /** The model is being prepared; it can be used by now. [done] of [total] bytes of work are done. */
        data class Preparing(val done: Long, val total: Long) : State

        /** There is a model of this name now. */
        data class Installed(val name: String) : State

        /** There is none. */
        data class Failed(val failure: ImportFailure) : State
    }

    /** How far it is. */
    var state: State = State.Idle
        private set(value) {
            field = value
            onChange?.invoke()
        }

    /** Told of every change of [state]. */
    var onChange: (() -> Unit)? = null

    /** Whether one is running. */
    val isRunning get() = state is State.Copying || state == State.Checking || state is State.Preparing

    init {
        // What a process left that ended while it copied.
        models.directory.listFiles { file -> file.extension == "part" }.orEmpty().forEach { it.delete() }
    }

    /**
     * Copies a file. Has no effect while another one is copied.
     *
     * @param sha256 the checksum that the file must have, as [checksumIn] gives it; null for any
     */
    fun start(file: Uri, sha256: String?) {
        if (isRunning) return
        isCancelled = false
        state = State.Copying(0, 0)
        thread(name = "model-import") {
            val end = try {
                copyAndInstall(file, sha256)
            } catch (error: IOException) {
                State.Failed(ImportFailure.Refused(error.message.orEmpty()))
            } catch (error: NibbleException) {
                State.Failed(ImportFailure.Refused(error.message.orEmpty()))
            } catch (error: RuntimeException) {
                // The app that has the file decides what is thrown, such as where the right to read it was taken back.
                State.Failed(ImportFailure.Refused(error.message.orEmpty()))
            }
            main.post {
                if (end is State.Installed) onInstalled(end.name)
                state = end
            }
        }
    }

    /** Stops; the state says when that is done. */
    fun cancel() {
        isCancelled = true
    }

    private fun copyAndInstall(file: Uri, sha256: String?): State {
        val (name, bytes) = describe(file)
        val free = models.usableBytes()
        if (bytes > free) return State.Failed(ImportFailure.NoSpace(bytes, free))
        val partial = models.partial(name)
        return try {
            install(file, name, bytes, sha256, partial)
        } finally {
            partial.delete()
        }
    }

    private fun install(file: Uri, name: String, bytes: Long, sha256: String?, partial: File): State {
        val found = copy(file, partial, bytes) ?: return State.Idle
        main.post { state = State.Checking }
        if (sha256 != null && sha256 != found) return State.Failed(ImportFailure.WrongChecksum(sha256, found))
        return runBlocking {
            // A file that is no model is refused before it gets a name; then what was written is compared.
            ModelFile.at(partial).use { it.inspect() }
            try {
                models.install(name, found) { if (isCancelled) throw CancellationException() }
            } catch (_: CancellationException) {
                return@runBlocking State.Idle
            }
            prepare(name)
            State.Installed(name)
        }
    }

    /** Makes the model faster, where that is possible; else it is used as it is. */
    private suspend fun prepare(name: String) {
        try {
            models.prepare(name).takeWhile { !isCancelled }.collect { (done, total) ->
                main.post { state = State.Preparing(done, total) }
            }
        } catch (_: NibbleException) {
            // It is prepared already, or there is no room for both, or whatever else: it is installed all the same.
        } catch (_: IOException) {
            // The same.
        }
    }

    /** Copies, and gives the checksum of what was read; null where that was cancelled. */
    private fun copy(file: Uri, partial: File, bytes: Long): String? {
        val digest = MessageDigest.getInstance("SHA-256")
        val source = context.contentResolver.openInputStream(file) ?: throw IOException("$file cannot be read")
        source.use { input ->
            partial.outputStream().use { output ->
                val buffer = ByteArray(1 shl 20)
                var done = 0L
                while (true) {
                    val count = input.read(buffer)
                    if (isCancelled) return null
                    if (count < 0) break
                    digest.update(buffer, 0, count)
                    output.write(buffer, 0, count)
                    done += count
                    val copied = State.Copying(done, bytes)
                    main.post { state = copied }
                }
                // Before it gets its name: a power failure must not leave one that is cut off.
                output.fd.sync()
            }
        }
        return digest.digest().joinToString("") { "%02x".format(it) }
    }

    /** A name for the file in this app, and its size; 0 where its owner does not tell. */
    private fun describe(file: Uri): Pair<String, Long> {
        var (name, bytes) = "model.gguf" to 0L
        context.contentResolver.query(file, null, null, null, null)?.use {
            if (it.moveToFirst()) {
                val (nameColumn, sizeColumn) = listOf(OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE).map(it::getColumnIndex)
                if (nameColumn >= 0) name = it.getString(nameColumn) ?: name
                if (sizeColumn >= 0) bytes = it.getLong(sizeColumn)
            }
        }
        val plain = name.substringAfterLast('/').trimStart('.')
        return (if (plain.endsWith(".gguf")) plain else "$plain.gguf") to bytes
    }
}

/** Why a model was not installed. */
sealed interface ImportFailure {
    /** It needs more bytes than are free. */
    data class NoSpace(val needed: Long, val free: Long) : ImportFailure

    /** It has another checksum than the one that was asked for. */
    data class WrongChecksum(val expected: String, val found: String) : ImportFailure

    /** It cannot be read or written, or is no model: what the system or the library says. */
    data class Refused(val reason: String) : ImportFailure
}

/**
 * The SHA-256 in what somebody pasted: 64 hexadecimal digits, alone, behind `sha256:` or before a file's name.
 *
 * @return the digits in lower case; null where there are none
 */
fun checksumIn(text: String): String? {
    val word = text.trim().substringBefore(' ').lowercase().removePrefix("sha256:")
    return word.takeIf { Regex("[0-9a-f]{64}").matches(it) }
}
