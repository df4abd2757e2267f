package dev.nibble.keyboard

import android.app.Activity
import android.text.InputType
import android.view.View
import android.view.inputmethod.BaseInputConnection
import android.view.inputmethod.EditorInfo
import android.view.inputmethod.ExtractedText
import android.view.inputmethod.ExtractedTextRequest
import dev.nibble.EditorUpdate
import dev.nibble.EngineNotice
import dev.nibble.EngineRequest
import dev.nibble.Event
import dev.nibble.KeyboardSettings
import dev.nibble.Selection
import kotlin.test.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner

/** A field that says of its cursor that there is none, as those of some toolkits do. */
@RunWith(RobolectricTestRunner::class)
class FieldWithoutCursorTest {
    private var content = ""
    private var readings = 0

    private val field = object : BaseInputConnection(View(Robolectric.buildActivity(Activity::class.java).get()), false) {
        override fun commitText(text: CharSequence, cursor: Int): Boolean {
            content += text
            return true
        }

        override fun getTextBeforeCursor(length: Int, flags: Int): CharSequence {
            readings++
            return content.takeLast(length)
        }

        override fun getTextAfterCursor(length: Int, flags: Int): CharSequence = ""

        override fun getSelectedText(flags: Int): CharSequence? = null

        override fun getExtractedText(request: ExtractedTextRequest?, flags: Int) = ExtractedText().apply {
            text = content
            selectionStart = -1
            selectionEnd = -1
        }
    }

    private val suggester = object : Suggester {
        override fun ask(request: EngineRequest) = Unit
        override fun tell(notice: EngineNotice) = Unit
    }

    private var time = 0L

    private fun shell(inputType: Int) = KeyboardShell(EditorAdapter(), UnseenScreen, suggester) { time }
        .also { it.focus(EditorInfo().apply { this.inputType = inputType }, field, KeyboardSettings()) }

    @Test
    fun `what is typed stands, whether it is read or reported`() = shell(InputType.TYPE_CLASS_TEXT).use { shell ->
        val readAtFocus = readings
        for (letter in listOf("w", "e", "e", "k")) {
            time += 100
            shell.handle(Event.Character(letter))
        }
        time += 5_000
        shell.handle(Event.Idle)
        assertEquals(readAtFocus + 1, readings, "it is read")
        shell.handle(Event.Character("s"))
        shell.selectionChanged(-1, -1, hasComposing = false)
        assertEquals(readAtFocus + 2, readings, "it is compared")
        shell.handle(Event.Character("!"))
        assertEquals("weeks!", content)
    }

    @Test
    fun `a secret is not read`() {
        shell(InputType.TYPE_CLASS_TEXT or InputType.TYPE_TEXT_VARIATION_PASSWORD).use { shell ->
            shell.handle(Event.Character("x"))
            shell.selectionChanged(-1, -1, hasComposing = false)
        }
        assertEquals("x", content)
        assertEquals(0, readings)
    }

    @Test
    fun `keys go on behind what makes no sense`() = shell(InputType.TYPE_CLASS_TEXT).use { shell ->
        shell.handle(Event.Editor(EditorUpdate(selection = Selection(-1, -1))))
        shell.handle(Event.Character("a"))
        assertEquals("a", content)
    }
}
