package dev.nibble.keyboard

import android.text.Editable
import android.text.InputFilter
import android.text.Selection as TextSelection
import android.view.KeyEvent
import android.view.View
import android.view.inputmethod.BaseInputConnection
import android.view.inputmethod.EditorInfo
import android.view.inputmethod.ExtractedText
import android.view.inputmethod.ExtractedTextRequest

/**
 * A text field of an app: Android's own [BaseInputConnection] over a text, with reports as a text view makes them.
 *
 * @param window scalar values that a reading gives on either side of the cursor
 * @param limit scalar values that the text may have; insertions beyond are refused
 * @param isBatched whether the edits of a batch are reported as one
 * @param isCoalesced whether a report that nobody fetched makes way for the next
 */
class FakeEditor(
    view: View,
    text: String,
    start: Int,
    end: Int,
    private val window: Int = Int.MAX_VALUE,
    limit: Int? = null,
    private val isBatched: Boolean = true,
    private val isCoalesced: Boolean = false,
) : BaseInputConnection(view, true) {
    private val content: Editable = Editable.Factory.getInstance().newEditable(text)
    private var batches = 0
    private var reported = Report(start, end, hasComposing = false)
    private val reports = ArrayDeque<Report>()

    /** What `onUpdateSelection` tells. */
    data class Report(val start: Int, val end: Int, val hasComposing: Boolean)

    /** Numbers of the actions that were performed. */
    val performed = mutableListOf<Int>()

    init {
        TextSelection.setSelection(content, start, end)
        if (limit != null) {
            content.filters = arrayOf(
                InputFilter { source, from, to, dest, destFrom, destTo ->
                    val length = dest.toString().scalars() - dest.substring(destFrom, destTo).scalars() +
                        source.substring(from, to).scalars()
                    if (from < to && length > limit) dest.subSequence(destFrom, destTo) else null
                },
            )
        }
    }

    val before get() = content.substring(0, TextSelection.getSelectionStart(content))
    val selected get() =
        content.substring(TextSelection.getSelectionStart(content), TextSelection.getSelectionEnd(content))
    val after get() = content.substring(TextSelection.getSelectionEnd(content))
    val composing: String
        get() {
            val (from, to) = getComposingSpanStart(content) to getComposingSpanEnd(content)
            return if (from in 0 until to) content.substring(from, to) else ""
        }

    override fun getEditable(): Editable = content

    override fun beginBatchEdit(): Boolean {
        batches++
        return true
    }

    override fun endBatchEdit(): Boolean {
        batches--
        if (batches == 0) report()
        return batches > 0
    }

    private fun <T> changing(change: () -> T): T = change().also { if (batches == 0 || !isBatched) report() }

    private fun report() {
        val now = Report(
            TextSelection.getSelectionStart(content),
            TextSelection.getSelectionEnd(content),
            composing.isNotEmpty(),
        )
        if (now == reported) return
        reported = now
        if (isCoalesced) reports.clear()
        reports += now
    }

    /** The next report, as late as the caller likes. */
    fun nextReport(): Report? = reports.removeFirstOrNull()

    override fun commitText(text: CharSequence, cursor: Int): Boolean = changing { super.commitText(text, cursor) }

    override fun deleteSurroundingText(before: Int, after: Int): Boolean =
        changing { super.deleteSurroundingText(before, after) }

    override fun setSelection(start: Int, end: Int): Boolean = changing { super.setSelection(start, end) }

    override fun setComposingRegion(start: Int, end: Int): Boolean = changing { super.setComposingRegion(start, end) }

    override fun finishComposingText(): Boolean = changing { super.finishComposingText() }

    override fun performEditorAction(action: Int): Boolean {
        performed += action
        return true
    }

    override fun sendKeyEvent(event: KeyEvent): Boolean {
        if (event.action != KeyEvent.ACTION_DOWN) return true
        when (event.keyCode) {
            KeyEvent.KEYCODE_ENTER -> performed += EditorInfo.IME_ACTION_UNSPECIFIED
            KeyEvent.KEYCODE_DEL -> changing {
                val end = TextSelection.getSelectionEnd(content)
                var start = TextSelection.getSelectionStart(content)
                if (start == end) start -= Regex("\\X").findAll(before).lastOrNull()?.value.orEmpty().length
                removeComposingSpans(content)
                content.delete(start, end)
            }
            else -> error("no key of a keyboard that knows the field: $event")
        }
        return true
    }

    override fun getTextBeforeCursor(length: Int, flags: Int): CharSequence = before.takeLastScalars(window).takeLast(length)

    override fun getTextAfterCursor(length: Int, flags: Int): CharSequence = after.takeScalars(window).take(length)

    override fun getExtractedText(request: ExtractedTextRequest?, flags: Int) = ExtractedText().apply {
        text = content.toString()
        selectionStart = TextSelection.getSelectionStart(content)
        selectionEnd = TextSelection.getSelectionEnd(content)
    }

    /** The user puts the cursor or a selection somewhere. */
    fun select(start: Int, end: Int) {
        val to = minOf(end, content.length)
        TextSelection.setSelection(content, minOf(start, to), to)
        report()
    }

    /** The user pastes. */
    fun paste(text: String) {
        removeComposingSpans(content)
        val (start, end) = TextSelection.getSelectionStart(content) to TextSelection.getSelectionEnd(content)
        content.replace(start, end, text)
        TextSelection.setSelection(content, start + text.length)
        report()
    }

    /** The app replaces the whole text without starting the input anew. */
    fun setText(text: String, start: Int, end: Int) {
        removeComposingSpans(content)
        content.replace(0, content.length, text)
        TextSelection.setSelection(content, start, end)
        report()
    }
}

private fun String.scalars() = codePointCount(0, length)

private fun String.takeScalars(count: Int) = if (count >= scalars()) this else substring(0, offsetByCodePoints(0, count))

private fun String.takeLastScalars(count: Int) =
    if (count >= scalars()) this else substring(offsetByCodePoints(length, -count))
