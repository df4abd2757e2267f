package dev.nibble.android

import android.app.Activity
import android.text.InputType
import android.view.inputmethod.BaseInputConnection
import android.view.inputmethod.EditorInfo
import android.widget.EditText
import dev.nibble.CapitalsMode
import dev.nibble.EditorAction
import dev.nibble.EditorText
import dev.nibble.FieldKind
import dev.nibble.KeyboardSettings
import dev.nibble.Selection
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertNull
import kotlin.test.assertTrue

@RunWith(RobolectricTestRunner::class)
class EditorFieldsTest {
    private val text = InputType.TYPE_CLASS_TEXT

    private fun info(inputType: Int, imeOptions: Int = 0, more: EditorInfo.() -> Unit = {}) = EditorInfo().apply {
        this.inputType = inputType
        this.imeOptions = imeOptions
        more()
    }

    private fun edit(inputType: Int, content: String = "", imeOptions: Int? = null): Pair<EditText, EditorInfo> {
        val activity = Robolectric.buildActivity(Activity::class.java).setup().get()
        val edit = EditText(activity)
        edit.inputType = inputType
        imeOptions?.let { edit.imeOptions = it }
        activity.setContentView(edit)
        edit.setText(content)
        return edit to EditorInfo()
    }

    @Test
    fun `secret fields, whatever else they say`() {
        val secrets = listOf(
            text or InputType.TYPE_TEXT_VARIATION_PASSWORD,
            text or InputType.TYPE_TEXT_VARIATION_VISIBLE_PASSWORD,
            text or InputType.TYPE_TEXT_VARIATION_WEB_PASSWORD,
            InputType.TYPE_CLASS_NUMBER or InputType.TYPE_NUMBER_VARIATION_PASSWORD,
        )
        for (secret in secrets) {
            for (options in listOf(0, EditorInfo.IME_ACTION_SEARCH, EditorInfo.IME_FLAG_NO_PERSONALIZED_LEARNING)) {
                val info = info(secret or InputType.TYPE_TEXT_FLAG_AUTO_CORRECT, options)
                assertEquals(FieldKind.PASSWORD, fieldKindOf(info))
                assertFalse(wantsSuggestions(info))
                assertFalse(allowsAutocorrect(info))
            }
        }
        // Bits of another class do not count: this is a number with decimals, and that a phone number.
        assertEquals(FieldKind.NUMBER, fieldKindOf(info(InputType.TYPE_CLASS_NUMBER or InputType.TYPE_NUMBER_FLAG_DECIMAL)))
        assertEquals(FieldKind.NUMBER, fieldKindOf(info(InputType.TYPE_CLASS_PHONE or 0x80)))
    }

    @Test
    fun `kinds of fields`() {
        val kinds = listOf(
            text to FieldKind.MESSAGE,
            (text or InputType.TYPE_TEXT_VARIATION_SHORT_MESSAGE) to FieldKind.MESSAGE,
            (text or InputType.TYPE_TEXT_VARIATION_LONG_MESSAGE) to FieldKind.EMAIL,
            (text or InputType.TYPE_TEXT_VARIATION_EMAIL_SUBJECT) to FieldKind.EMAIL,
            (text or InputType.TYPE_TEXT_VARIATION_EMAIL_ADDRESS) to FieldKind.URL,
            (text or InputType.TYPE_TEXT_VARIATION_WEB_EMAIL_ADDRESS) to FieldKind.URL,
            (text or InputType.TYPE_TEXT_VARIATION_URI) to FieldKind.URL,
            (text or InputType.TYPE_TEXT_VARIATION_FILTER) to FieldKind.SEARCH,
            InputType.TYPE_CLASS_NUMBER to FieldKind.NUMBER,
            InputType.TYPE_CLASS_DATETIME to FieldKind.NUMBER,
        )
        for ((inputType, kind) in kinds) assertEquals(kind, fieldKindOf(info(inputType)), "$inputType")
        assertEquals(FieldKind.SEARCH, fieldKindOf(info(text, EditorInfo.IME_ACTION_SEARCH)))
    }

    @Test
    fun `incognito fields learn nothing`() {
        val incognito = EditorInfo.IME_FLAG_NO_PERSONALIZED_LEARNING
        assertEquals(FieldKind.NO_LEARNING, fieldKindOf(info(text, incognito)))
        assertEquals(FieldKind.NO_LEARNING, fieldKindOf(info(text, incognito or EditorInfo.IME_ACTION_SEARCH)))
        assertEquals(FieldKind.URL, fieldKindOf(info(text or InputType.TYPE_TEXT_VARIATION_URI, incognito)))
        assertTrue(wantsSuggestions(info(text, incognito)))
    }

    @Test
    fun `nothing is learned where no suggestions are wanted, or where only keys are taken`() {
        val bare = text or InputType.TYPE_TEXT_FLAG_NO_SUGGESTIONS
        assertEquals(FieldKind.NO_LEARNING, fieldKindOf(info(bare)))
        assertEquals(FieldKind.NO_LEARNING, fieldKindOf(info(bare, EditorInfo.IME_ACTION_SEARCH)))
        assertEquals(FieldKind.PASSWORD, fieldKindOf(info(bare or InputType.TYPE_TEXT_VARIATION_PASSWORD)))
        assertEquals(FieldKind.PASSWORD, fieldKindOf(info(InputType.TYPE_NULL)))
        assertEquals(FieldKind.PASSWORD, fieldKindOf(info(InputType.TYPE_NULL, EditorInfo.IME_ACTION_SEARCH)))
    }

    @Test
    fun `suggestions and corrections where they are wanted`() {
        val settings = KeyboardSettings()
        assertEquals(settings, settings.forField(info(text)))
        val bare = info(text or InputType.TYPE_TEXT_FLAG_NO_SUGGESTIONS)
        assertEquals(settings.copy(autocorrect = false, slots = 0), settings.forField(bare))
        assertEquals(settings.copy(autocorrect = false, slots = 0), settings.forField(info(InputType.TYPE_NULL)))
        for (variation in listOf(
            InputType.TYPE_TEXT_VARIATION_URI,
            InputType.TYPE_TEXT_VARIATION_EMAIL_ADDRESS,
            InputType.TYPE_TEXT_VARIATION_WEB_EMAIL_ADDRESS,
            InputType.TYPE_TEXT_VARIATION_PERSON_NAME,
            InputType.TYPE_TEXT_VARIATION_FILTER,
            InputType.TYPE_TEXT_FLAG_AUTO_COMPLETE,
        )) {
            assertEquals(settings.copy(autocorrect = false), settings.forField(info(text or variation)), "$variation")
        }
        // What the user switched off stays off.
        val off = settings.copy(autocorrect = false)
        assertEquals(off, off.forField(info(text)))
    }

    @Test
    fun `capitals by flags, and by the state at the start`() {
        assertEquals(CapitalsMode.NEVER, capitalsModeOf(info(text)))
        assertEquals(CapitalsMode.SENTENCES, capitalsModeOf(info(text or InputType.TYPE_TEXT_FLAG_CAP_SENTENCES)))
        assertEquals(CapitalsMode.WORDS, capitalsModeOf(info(text or InputType.TYPE_TEXT_FLAG_CAP_WORDS)))
        assertEquals(CapitalsMode.CHARACTERS, capitalsModeOf(info(text or InputType.TYPE_TEXT_FLAG_CAP_CHARACTERS)))
        assertEquals(
            CapitalsMode.SENTENCES,
            capitalsModeOf(info(text) { initialCapsMode = android.text.TextUtils.CAP_MODE_SENTENCES }),
        )
        // These bits mean something else in a number.
        assertEquals(CapitalsMode.NEVER, capitalsModeOf(info(InputType.TYPE_CLASS_NUMBER or 0x1000)))
    }

    @Test
    fun `what enter does`() {
        val lines = text or InputType.TYPE_TEXT_FLAG_MULTI_LINE
        assertFalse(beginsNewLine(info(text, EditorInfo.IME_ACTION_DONE)))
        assertTrue(beginsNewLine(info(lines)))
        assertTrue(beginsNewLine(info(lines, EditorInfo.IME_ACTION_SEND or EditorInfo.IME_FLAG_NO_ENTER_ACTION)))
        assertFalse(beginsNewLine(info(lines, EditorInfo.IME_ACTION_SEND)))
        val actions = mapOf(
            EditorInfo.IME_ACTION_GO to EditorAction.GO,
            EditorInfo.IME_ACTION_SEARCH to EditorAction.SEARCH,
            EditorInfo.IME_ACTION_SEND to EditorAction.SEND,
            EditorInfo.IME_ACTION_NEXT to EditorAction.NEXT,
            EditorInfo.IME_ACTION_PREVIOUS to EditorAction.PREVIOUS,
            EditorInfo.IME_ACTION_DONE to EditorAction.DONE,
            EditorInfo.IME_ACTION_UNSPECIFIED to EditorAction.DEFAULT,
        )
        for ((number, action) in actions) {
            val info = info(text, number or EditorInfo.IME_FLAG_NO_FULLSCREEN)
            assertEquals(action, actionOf(info))
            assertEquals(number, performedActionOf(info, action))
        }
        val own = info(text, EditorInfo.IME_ACTION_SEND) {
            actionLabel = "Reply"
            actionId = 4711
        }
        assertEquals(EditorAction.DEFAULT, actionOf(own))
        assertEquals(4711, performedActionOf(own, EditorAction.DEFAULT))
    }

    @Test
    fun `the focus of a field of the framework`() {
        val (edit, info) = edit(text or InputType.TYPE_TEXT_FLAG_CAP_SENTENCES or InputType.TYPE_TEXT_FLAG_MULTI_LINE, "Hello 👋 world")
        edit.setSelection(6, 8)
        val connection = checkNotNull(edit.onCreateInputConnection(info))
        val focus = fieldFocusOf(info, connection)
        assertEquals(EditorText("Hello ", "👋", " world"), focus.text)
        assertEquals(Selection(6, 8), focus.selection)
        assertEquals(CapitalsMode.SENTENCES, focus.capitals)
        assertEquals(FieldKind.MESSAGE, focus.kind)
        assertTrue(focus.multiLine)
    }

    @Test
    fun `a long text is cut, and a window says so`() {
        val (edit, info) = edit(text, "a".repeat(1500) + "b".repeat(1200))
        edit.setSelection(1500)
        val read = checkNotNull(readText(checkNotNull(edit.onCreateInputConnection(info))))
        assertEquals(EditorText("a".repeat(1000), "", "b".repeat(1000), beforeCut = true, afterCut = true), read)
    }

    @Test
    fun `nothing is read from a secret field`() {
        val (edit, info) = edit(text or InputType.TYPE_TEXT_VARIATION_PASSWORD, "hunter2")
        val focus = fieldFocusOf(info.also { edit.onCreateInputConnection(it) }, edit.onCreateInputConnection(EditorInfo()))
        assertEquals(FieldKind.PASSWORD, focus.kind)
        assertEquals(EditorText(), focus.text)
    }

    @Test
    fun `a field that does not answer`() {
        val (edit, _) = edit(text)
        val mute = object : BaseInputConnection(edit, true) {
            override fun getTextBeforeCursor(length: Int, flags: Int): CharSequence? = null
        }
        assertNull(readText(mute))
        assertEquals(EditorText(), fieldFocusOf(info(text) { initialSelStart = -1 }, mute).text)
        assertNull(fieldFocusOf(info(text) { initialSelStart = -1 }, null).selection)
        // From Android 11 on the field sends its text along.
        val sent = info(text) {
            initialSelStart = 2
            initialSelEnd = 4
            setInitialSurroundingText("abcdef")
        }
        assertEquals(EditorText("ab", "cd", "ef"), fieldFocusOf(sent, mute).text)
        assertEquals(Selection(2, 4), selectionOf(4, 2))
        assertNull(selectionOf(-1, -1))
    }

    @Test
    fun `a field that sent its text along is not asked for it`() {
        val (edit, _) = edit(text)
        val silent = object : BaseInputConnection(edit, true) {
            override fun getTextBeforeCursor(length: Int, flags: Int): CharSequence = throw AssertionError("it was asked")
        }
        fun sent(start: Int, end: Int, content: String) = info(text) {
            initialSelStart = start
            initialSelEnd = end
            setInitialSurroundingText(content)
        }
        val focus = fieldFocusOf(sent(6, 11, "Hello world"), silent)
        assertEquals(EditorText("Hello ", "world", ""), focus.text)
        assertEquals(EditorText(), fieldFocusOf(sent(0, 0, ""), silent).text)

        // Of a long text a part comes, with less behind the cursor than a window has.
        val long = fieldFocusOf(sent(3000, 3000, "a".repeat(3000) + "b".repeat(3000)), silent).text
        assertEquals("a".repeat(1000), long.before)
        assertEquals("b".repeat(long.after.length), long.after)
        assertTrue(long.after.length in 1..999 && long.beforeCut && long.afterCut, "$long")

        val part = info(text) {
            initialSelStart = 12
            initialSelEnd = 12
            setInitialSurroundingSubText("world, how", 10)
        }
        val expected = EditorText("wo", "", "rld, how", beforeCut = true, afterCut = true)
        assertEquals(expected, fieldFocusOf(part, silent).text)
    }

    @Test
    fun `a selection that is too long to be sent along is read`() {
        val content = "a".repeat(3000)
        val (edit, info) = edit(text, content)
        edit.setSelection(0, 2500)
        val connection = checkNotNull(edit.onCreateInputConnection(info))
        assertEquals(content.take(2500), fieldFocusOf(info, connection).text.selected)
    }

    @Test
    fun `a window does not begin or end within a character`() {
        val (edit, info) = edit(text, "👋".repeat(600) + "a" + "b" + "👋".repeat(600))
        edit.setSelection(1201)
        val connection = checkNotNull(edit.onCreateInputConnection(info))
        val expected = EditorText("👋".repeat(499) + "a", "", "b" + "👋".repeat(499), beforeCut = true, afterCut = true)
        assertEquals(expected, readText(connection))
        assertEquals(expected.before, fieldFocusOf(info, connection).text.before)
    }
}
