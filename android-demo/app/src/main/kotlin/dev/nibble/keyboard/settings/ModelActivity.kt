package dev.nibble.keyboard.settings

import android.app.Activity
import android.content.Intent
import android.net.Uri
import android.os.Bundle
import android.text.InputType
import android.view.View
import android.widget.Button
import android.widget.EditText
import android.widget.ProgressBar
import android.widget.TextView
import dev.nibble.ModelFile
import dev.nibble.NibbleException
import dev.nibble.android.ModelDirectory
import dev.nibble.keyboard.NibbleApplication
import dev.nibble.keyboard.R
import kotlinx.coroutines.runBlocking
import java.io.File

/** Which model is used, and another one from a file. */
class ModelActivity : Activity() {
    private val app get() = application as NibbleApplication
    private val models by lazy { ModelDirectory(this) }
    private val import get() = app.modelImport
    private lateinit var checksum: EditText
    private lateinit var choose: Button
    private lateinit var state: TextView
    private lateinit var bar: ProgressBar
    private lateinit var cancel: Button

    override fun onCreate(saved: Bundle?) {
        super.onCreate(saved)
        setTitle(R.string.model_title)
        show(expected = saved?.getString(CHECKSUM).orEmpty())
    }

    override fun onResume() {
        super.onResume()
        // It may have changed while this page was away.
        show(expected = checksum.text.toString())
        import.onChange = {
            if (import.state is ModelImport.State.Installed) show(expected = "")
            follow()
        }
        follow()
    }

    override fun onPause() {
        import.onChange = null
        super.onPause()
    }

    override fun onSaveInstanceState(state: Bundle) {
        super.onSaveInstanceState(state)
        state.putString(CHECKSUM, checksum.text.toString())
    }

    private fun show(expected: String) {
        val rows = Rows(this)
        rows.title(R.string.model_used)
        val chosen = app.preferences.model?.let(models::find)
        rows.text(
            when {
                chosen != null -> describe(chosen)
                assets.list("models").orEmpty().isNotEmpty() -> getText(R.string.model_packaged)
                else -> getText(R.string.model_none)
            },
        )
        if (chosen != null) {
            rows.button(getText(R.string.model_packaged_again)) {
                app.preferences.model = null
                models.remove(chosen.name)
                show(checksum.text.toString())
            }
        }
        rows.title(R.string.model_other)
        rows.text(getString(R.string.model_explained, models.usableBytes() / MEGABYTE))
        checksum = rows.add(EditText(this))
        checksum.setHint(R.string.model_checksum)
        // A checksum is no prose: where nothing is suggested, nothing is learned either.
        checksum.inputType = InputType.TYPE_CLASS_TEXT or InputType.TYPE_TEXT_FLAG_NO_SUGGESTIONS
        checksum.setText(expected)
        choose = rows.button(getText(R.string.model_choose), ::pick)
        bar = rows.add(ProgressBar(this, null, android.R.attr.progressBarStyleHorizontal))
        state = rows.text("")
        cancel = rows.button(getText(R.string.cancel), import::cancel)
        setContentView(rows.view)
    }

    private fun describe(file: File) = try {
        val info = runBlocking { ModelFile.at(file).use { it.inspect() } }
        val licence = info.license.ifEmpty { getString(R.string.model_no_licence) }
        getString(R.string.model_file, file.name, info.name, info.bytes / MEGABYTE, licence)
    } catch (_: NibbleException) {
        // It was whole when it came; the storage may have failed since.
        file.name
    }

    private fun pick() {
        if (!isChecksumGood()) return
        val intent = Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("*/*")
        startActivityForResult(intent, PICK)
    }

    override fun onActivityResult(code: Int, result: Int, data: Intent?) {
        val file = data?.data ?: return
        if (code == PICK && result == RESULT_OK) install(file)
    }

    /** Copies a file, checks the copy, and uses it from now on. */
    private fun install(file: Uri) {
        if (isChecksumGood()) import.start(file, checksumIn(checksum.text.toString()))
    }

    private fun isChecksumGood(): Boolean {
        val text = checksum.text.toString()
        val isGood = text.isBlank() || checksumIn(text) != null
        if (!isGood) state.setText(R.string.model_no_checksum)
        return isGood
    }

    /** Shows how far the import is. */
    private fun follow() {
        val now = import.state
        choose.isEnabled = !import.isRunning
        val running = if (import.isRunning) View.VISIBLE else View.GONE
        bar.visibility = running
        cancel.visibility = running
        when (now) {
            is ModelImport.State.Copying -> showProgress(now.done, now.total)
            is ModelImport.State.Preparing -> showProgress(now.done, now.total)
            else -> {}
        }
        state.text = textOf(now)
    }

    private fun showProgress(done: Long, total: Long) {
        bar.isIndeterminate = total == 0L
        bar.max = maxOf(1, (total / MEGABYTE).toInt())
        bar.progress = (done / MEGABYTE).toInt()
    }

    private fun textOf(now: ModelImport.State): CharSequence = when (now) {
        ModelImport.State.Idle -> ""
        is ModelImport.State.Copying -> if (now.total == 0L) {
            getString(R.string.model_copying_some, now.done / MEGABYTE)
        } else {
            getString(R.string.model_copying, now.done / MEGABYTE, now.total / MEGABYTE)
        }
        ModelImport.State.Checking -> getText(R.string.model_checking)
        is ModelImport.State.Preparing -> getString(R.string.model_preparing, now.done / MEGABYTE, now.total / MEGABYTE)
        is ModelImport.State.Installed -> getString(R.string.model_installed, now.name)
        is ModelImport.State.Failed -> when (val failure = now.failure) {
            is ImportFailure.NoSpace -> getString(R.string.model_no_space, failure.needed / MEGABYTE, failure.free / MEGABYTE)
            is ImportFailure.WrongChecksum -> getString(R.string.model_wrong_checksum, failure.found, failure.expected)
            is ImportFailure.Refused -> getString(R.string.model_failed, failure.reason)
        }
    }

    private companion object {
        const val PICK = 1
        const val MEGABYTE = 1_000_000L
        const val CHECKSUM = "checksum"
    }
}
