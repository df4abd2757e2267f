package dev.nibble.keyboard.settings

import android.app.Activity
import android.app.AlertDialog
import android.content.Intent
import android.os.Bundle
import android.text.Editable
import android.text.TextWatcher
import android.widget.ArrayAdapter
import android.widget.EditText
import android.widget.LinearLayout
import android.widget.ListView
import android.widget.TextView
import android.widget.Toast
import dev.nibble.NibbleException
import dev.nibble.UserModel
import dev.nibble.UserWord
import dev.nibble.keyboard.NibbleApplication
import dev.nibble.keyboard.R
import java.io.ByteArrayOutputStream
import java.io.IOException
import java.io.InputStream

/** What the keyboard has learned: to be searched, removed, exported, imported and erased. */
class WordsActivity : Activity() {
    private val app get() = application as NibbleApplication
    private lateinit var search: EditText
    private lateinit var count: TextView
    private lateinit var list: ListView
    private var shown: List<UserWord> = emptyList()

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        setTitle(R.string.words_title)
        val rows = Rows(this)
        search = rows.add(EditText(this).apply { setHint(R.string.words_search) })
        search.addTextChangedListener(
            object : TextWatcher {
                override fun beforeTextChanged(text: CharSequence, start: Int, count: Int, after: Int) = Unit
                override fun onTextChanged(text: CharSequence, start: Int, before: Int, count: Int) = Unit
                override fun afterTextChanged(text: Editable) = refresh()
            },
        )
        rows.button(getText(R.string.words_export)) { pick(Intent.ACTION_CREATE_DOCUMENT, EXPORT) }
        rows.button(getText(R.string.words_import)) { pick(Intent.ACTION_OPEN_DOCUMENT, IMPORT) }
        rows.button(getText(R.string.words_erase)) {
            confirm(getString(R.string.words_erase_all)) {
                it.erase()
                app.unreadableWords.delete()
            }
        }
        count = rows.text("")
        list = ListView(this)
        list.setOnItemClickListener { _, _, position, _ ->
            val word = shown[position].word
            confirm(getString(R.string.words_remove, word)) { it.remove(word) }
        }
        setContentView(
            LinearLayout(this).apply {
                orientation = LinearLayout.VERTICAL
                addView(rows.view)
                addView(list, LinearLayout.LayoutParams(LinearLayout.LayoutParams.MATCH_PARENT, 0, 1f))
            },
        )
        refresh()
    }

    private fun refresh(): Unit = app.withLocal {
        try {
            shown = it.words.words(search.text.toString())
        } catch (_: NibbleException.Closed) {
            // Settings were changed beside this page: the words are opened anew.
            refresh()
        }
        show()
    }

    private fun show() {
        count.text = getString(R.string.words_count, shown.size)
        val lines = shown.map { getString(R.string.words_used, it.word, it.uses) }
        list.adapter = ArrayAdapter(this, android.R.layout.simple_list_item_1, lines)
    }

    private fun confirm(question: String, change: suspend (UserModel) -> Unit) {
        AlertDialog.Builder(this).setMessage(question).setNegativeButton(R.string.cancel, null)
            .setPositiveButton(R.string.words_forget) { _, _ -> change(change) }.show()
    }

    private fun change(change: suspend (UserModel) -> Unit) = app.changeWords(change) { failure ->
        tell(failure)
        refresh()
    }

    private fun tell(failure: Exception?) {
        if (failure != null) Toast.makeText(this, R.string.words_failed, Toast.LENGTH_LONG).show()
    }

    private fun pick(action: String, code: Int) {
        val intent = Intent(action).addCategory(Intent.CATEGORY_OPENABLE).setType("text/plain")
        startActivityForResult(intent.putExtra(Intent.EXTRA_TITLE, "nibble-words.txt"), code)
    }

    override fun onActivityResult(code: Int, result: Int, data: Intent?) {
        val file = data?.data ?: return
        if (result != RESULT_OK) return
        // The file may be far away: in the background, as every change.
        when (code) {
            EXPORT -> app.withWords({ known ->
                val output = contentResolver.openOutputStream(file) ?: throw IOException("$file cannot be written")
                output.use { it.write(known.exportText().toByteArray()) }
            }, ::tell)
            IMPORT -> change { known ->
                val input = contentResolver.openInputStream(file) ?: throw IOException("$file cannot be read")
                known.importText(input.use(::readList))
            }
        }
    }

    private fun readList(input: InputStream): String {
        val output = ByteArrayOutputStream()
        val buffer = ByteArray(DEFAULT_BUFFER_SIZE)
        while (true) {
            val count = input.read(buffer)
            if (count < 0) return output.toByteArray().decodeToString()
            if (output.size() + count > MOST_BYTES) throw IOException("more than $MOST_BYTES bytes are no list of words")
            output.write(buffer, 0, count)
        }
    }

    private companion object {
        /** Of a list that is imported; it is held in memory. */
        const val MOST_BYTES = 16 shl 20
        const val EXPORT = 1
        const val IMPORT = 2
    }
}
