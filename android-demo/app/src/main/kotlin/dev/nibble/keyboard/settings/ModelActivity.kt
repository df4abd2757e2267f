package dev.nibble.keyboard.settings

import android.app.Activity
import android.content.Intent
import android.net.Uri
import android.os.Bundle
import android.provider.OpenableColumns
import android.widget.ProgressBar
import android.widget.TextView
import dev.nibble.ModelFile
import dev.nibble.NibbleException
import dev.nibble.android.ModelDirectory
import dev.nibble.keyboard.NibbleApplication
import dev.nibble.keyboard.R
import kotlinx.coroutines.runBlocking
import java.io.IOException
import java.security.MessageDigest
import kotlin.concurrent.thread

/** Which model is used, and another one from a file. */
class ModelActivity : Activity() {
    private val app get() = application as NibbleApplication
    private val models by lazy { ModelDirectory(this) }
    private lateinit var state: TextView
    private lateinit var bar: ProgressBar

    override fun onCreate(saved: Bundle?) {
        super.onCreate(saved)
        setTitle(R.string.model_title)
        show()
    }

    private fun show() {
        val rows = Rows(this)
        val chosen = app.preferences.model?.let(models::find)
        rows.text(
            when {
                chosen != null -> {
                    val info = runBlocking { ModelFile.at(chosen).use { it.inspect() } }
                    getString(R.string.model_file, chosen.name, info.name, info.bytes / MEGABYTE)
                }
                hasPackaged() -> getText(R.string.model_packaged)
                else -> getText(R.string.model_none)
            },
        )
        rows.button(getText(R.string.model_choose)) {
            val intent = Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("*/*")
            startActivityForResult(intent, PICK)
        }
        if (chosen != null) {
            rows.button(getText(R.string.model_packaged_again)) {
                app.preferences.model = null
                models.remove(chosen.name)
                show()
            }
        }
        rows.text(getString(R.string.model_explained, models.usableBytes() / MEGABYTE))
        bar = rows.add(ProgressBar(this, null, android.R.attr.progressBarStyleHorizontal))
        bar.visibility = ProgressBar.INVISIBLE
        state = rows.text("")
        setContentView(rows.view)
    }

    private fun hasPackaged() = assets.list("models").orEmpty().isNotEmpty()

    override fun onActivityResult(code: Int, result: Int, data: Intent?) {
        val file = data?.data ?: return
        if (code == PICK && result == RESULT_OK) install(file)
    }

    /** Copies a file, checks the copy, and uses it from now on. */
    fun install(file: Uri) {
        val (name, bytes) = describe(file)
        val free = models.usableBytes()
        if (bytes > free) {
            state.text = getString(R.string.model_no_space, bytes / MEGABYTE, free / MEGABYTE)
            return
        }
        bar.visibility = ProgressBar.VISIBLE
        bar.max = maxOf(1, (bytes / MEGABYTE).toInt())
        thread(name = "model-copy") {
            val failure = try {
                copy(file, name, bytes)
                null
            } catch (error: IOException) {
                error.message
            } catch (error: NibbleException) {
                error.message
            }
            runOnUiThread {
                if (failure == null) {
                    app.preferences.model = name
                    show()
                } else {
                    bar.visibility = ProgressBar.INVISIBLE
                    state.text = getString(R.string.model_failed, failure)
                }
            }
        }
    }

    private fun copy(file: Uri, name: String, bytes: Long) {
        val digest = MessageDigest.getInstance("SHA-256")
        val partial = models.partial(name)
        val source = contentResolver.openInputStream(file) ?: throw IOException("$file cannot be read")
        source.use { input ->
            partial.outputStream().use { output ->
                val buffer = ByteArray(1 shl 20)
                var done = 0L
                while (true) {
                    val count = input.read(buffer)
                    if (count < 0) break
                    digest.update(buffer, 0, count)
                    output.write(buffer, 0, count)
                    done += count
                    tell(getString(R.string.model_copying, done / MEGABYTE, bytes / MEGABYTE), done)
                }
            }
        }
        tell(getString(R.string.model_checking), bytes)
        try {
            runBlocking {
                // A file that is no model is refused before it gets a name; then what was written is compared.
                ModelFile.at(partial).use { it.inspect() }
                models.install(name, digest.digest().joinToString("") { "%02x".format(it) })
            }
        } catch (error: NibbleException) {
            partial.delete()
            throw error
        }
    }

    private fun tell(text: String, done: Long) = runOnUiThread {
        state.text = text
        bar.progress = (done / MEGABYTE).toInt()
    }

    private fun describe(file: Uri): Pair<String, Long> {
        var (name, bytes) = "model.gguf" to 0L
        contentResolver.query(file, null, null, null, null)?.use {
            if (it.moveToFirst()) {
                name = it.getString(it.getColumnIndexOrThrow(OpenableColumns.DISPLAY_NAME)) ?: name
                bytes = it.getLong(it.getColumnIndexOrThrow(OpenableColumns.SIZE))
            }
        }
        val plain = name.substringAfterLast('/').trimStart('.')
        return (if (plain.endsWith(".gguf")) plain else "$plain.gguf") to bytes
    }

    private companion object {
        const val PICK = 1
        const val MEGABYTE = 1_000_000L
    }
}
