package dev.nibble.keyboard

import android.icu.text.BreakIterator
import android.os.SystemClock
import android.view.KeyCharacterMap
import android.view.KeyEvent
import android.view.inputmethod.EditorInfo
import android.view.inputmethod.ExtractedTextRequest
import android.view.inputmethod.InputConnection
import dev.nibble.Action
import dev.nibble.EditorAction
import dev.nibble.EditorUpdate
import dev.nibble.FieldFocus
import dev.nibble.FieldKind
import dev.nibble.Selection
import dev.nibble.TextEdit
import dev.nibble.android.fieldFocusOf
import dev.nibble.android.fieldKindOf
import dev.nibble.android.performedActionOf
import dev.nibble.android.readText
import dev.nibble.android.selectionOf
import dev.nibble.android.takesText

/**
 * Carries out a controller's actions in the field of an app, and says what the field reports.
 *
 * Every call of an [InputConnection] goes to the app's process. So the field is read when it takes the focus and when
 * the controller asks, and its selection is followed in between: by the edits that are made here, and by the reports
 * that come later.
 */
class EditorAdapter {
    private var info = EditorInfo()
    private var connection: InputConnection? = null

    /** The selection as it will be when all edits have arrived; null where it is not known. */
    private var selection: Selection? = null

    /** Selections that edits led to and that were not reported yet, the oldest first. */
    private val expected = ArrayDeque<Selection>()
    private var isComposing = false

    /** A field took the focus. [connection] is null where the app gives none; then nothing can be typed. */
    fun focus(info: EditorInfo, connection: InputConnection?): FieldFocus {
        this.info = info
        this.connection = connection
        expected.clear()
        isComposing = false
        val focus = fieldFocusOf(info, connection)
        selection = focus.selection
        return focus
    }

    /** The field lost the focus. */
    fun blur() {
        connection = null
        selection = null
        expected.clear()
        isComposing = false
    }

    /**
     * What the controller is to know of `onUpdateSelection`.
     *
     * @param hasComposing whether text is marked as being composed
     */
    fun selectionChanged(start: Int, end: Int, hasComposing: Boolean): EditorUpdate? {
        val field = connection ?: return null
        val reported = selectionOf(start, end) ?: return withoutCursor(field)
        when (val index = expected.indexOf(reported)) {
            -1 -> {
                expected.clear()
                selection = reported
            }
            else -> repeat(index + 1) { expected.removeFirst() }
        }
        if (isComposing && !hasComposing && expected.isEmpty()) {
            // Somebody else may have replaced the marked text: positions alone would not tell. Without them here,
            // because the text that is read may be newer than the report.
            return EditorUpdate(text = readText(field))
        }
        return EditorUpdate(selection = reported)
    }

    /** A field may say in mid-word that it has no cursor: then only its text tells what stands there. */
    private fun withoutCursor(field: InputConnection): EditorUpdate? {
        expected.clear()
        selection = null
        return if (fieldKindOf(info) == FieldKind.PASSWORD) null else EditorUpdate(text = readText(field))
    }

    /**
     * Carries out those of [actions] that concern the field.
     *
     * @return the answer, where the field was to be read
     */
    fun carryOut(actions: List<Action>): EditorUpdate? {
        val field = connection ?: return null
        var answer: EditorUpdate? = null
        var inBatch = false
        fun batch(isOpen: Boolean) {
            if (isOpen == inBatch) return
            inBatch = isOpen
            if (isOpen) field.beginBatchEdit() else field.endBatchEdit()
        }
        val before = selection
        for (action in actions) {
            when (action) {
                is Action.Edit -> {
                    batch(true)
                    edit(field, action.edit)
                }
                is Action.Compose -> {
                    batch(true)
                    compose(field, action.text)
                }
                Action.FinishComposing -> {
                    batch(true)
                    finishComposing(field)
                }
                is Action.PerformAction -> {
                    batch(false)
                    perform(field, action.action)
                }
                is Action.ReadText -> {
                    batch(false)
                    answer = read(field, action.serial)
                }
                else -> {}
            }
        }
        val after = selection
        if (after != null && after != before && answer == null) {
            expected += after
            if (expected.size > REMEMBERED) expected.removeFirst()
        }
        batch(false)
        return answer
    }

    private fun edit(field: InputConnection, edit: TextEdit) {
        // Otherwise commitText replaces the composing text, and deleteSurroundingText spares it.
        finishComposing(field)
        val at = selection
        when (edit) {
            is TextEdit.Insert -> {
                insert(field, edit.text)
                selection = at?.let { Selection(it.start + edit.text.length, it.start + edit.text.length) }
            }
            is TextEdit.Delete -> {
                field.deleteSurroundingText(edit.before.length, edit.after.length)
                selection = at?.let {
                    Selection(maxOf(0, it.start - edit.before.length), maxOf(0, it.end - edit.before.length))
                }
            }
            TextEdit.DeleteSelection -> {
                field.commitText("", 1)
                selection = at?.let { Selection(it.start, it.start) }
            }
            TextEdit.PressBackspace -> {
                press(field, KeyEvent.KEYCODE_DEL)
                // How much goes is the app's business.
                selection = null
            }
            is TextEdit.MoveCursor -> moveCursor(field, edit)
        }
    }

    private fun insert(field: InputConnection, text: String) {
        val keys = if (takesText(info)) null else keyMap.getEvents(text.toCharArray())
        if (keys == null) field.commitText(text, 1) else keys.forEach { field.sendKeyEvent(it) }
    }

    private fun moveCursor(field: InputConnection, move: TextEdit.MoveCursor) {
        val at = selection
        if (at == null) {
            val steps = graphemes(move.over)
            val key = if (move.by < 0) KeyEvent.KEYCODE_DPAD_LEFT else KeyEvent.KEYCODE_DPAD_RIGHT
            repeat(steps) { press(field, key) }
            return
        }
        val to = maxOf(0, if (move.by < 0) at.end - move.over.length else at.end + move.over.length)
        field.setSelection(to, to)
        selection = Selection(to, to)
    }

    private fun compose(field: InputConnection, text: String) {
        val cursor = selection?.takeIf { it.start == it.end }?.start ?: return
        isComposing = text.isNotEmpty() && field.setComposingRegion(maxOf(0, cursor - text.length), cursor)
    }

    private fun finishComposing(field: InputConnection) {
        if (isComposing) field.finishComposingText()
        isComposing = false
    }

    private fun perform(field: InputConnection, action: EditorAction) {
        when (val number = performedActionOf(info, action)) {
            // The field names no action: it wants the key.
            EditorInfo.IME_ACTION_UNSPECIFIED, EditorInfo.IME_ACTION_NONE -> press(field, KeyEvent.KEYCODE_ENTER)
            else -> field.performEditorAction(number)
        }
    }

    private fun read(field: InputConnection, serial: Long): EditorUpdate? {
        val text = readText(field) ?: return null
        val positions = field.getExtractedText(ExtractedTextRequest(), 0)
            ?.takeIf { it.selectionStart >= 0 && it.selectionEnd >= 0 }
            ?.let { selectionOf(it.startOffset + it.selectionStart, it.startOffset + it.selectionEnd) }
        expected.clear()
        selection = positions
        return EditorUpdate(text, positions, serial)
    }

    private fun press(field: InputConnection, code: Int) {
        val time = SystemClock.uptimeMillis()
        for (action in listOf(KeyEvent.ACTION_DOWN, KeyEvent.ACTION_UP)) {
            val flags = KeyEvent.FLAG_SOFT_KEYBOARD or KeyEvent.FLAG_KEEP_TOUCH_MODE
            field.sendKeyEvent(KeyEvent(time, time, action, code, 0, 0, KeyCharacterMap.VIRTUAL_KEYBOARD, 0, flags))
        }
    }

    private val keyMap by lazy { KeyCharacterMap.load(KeyCharacterMap.VIRTUAL_KEYBOARD) }

    private fun graphemes(text: String): Int {
        val characters = BreakIterator.getCharacterInstance().apply { setText(text) }
        return generateSequence { characters.next().takeIf { it != BreakIterator.DONE } }.count()
    }

    private companion object {
        /** Selections that are waited for at once, for apps that report nothing. */
        const val REMEMBERED = 64
    }
}
