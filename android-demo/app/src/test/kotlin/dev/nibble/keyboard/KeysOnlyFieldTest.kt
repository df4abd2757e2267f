package dev.nibble.keyboard

import android.app.Activity
import android.text.InputType
import android.view.KeyEvent
import android.view.View
import android.view.inputmethod.BaseInputConnection
import android.view.inputmethod.EditorInfo
import dev.nibble.EngineNotice
import dev.nibble.EngineRequest
import dev.nibble.Event
import dev.nibble.KeyboardSettings
import kotlin.test.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner

/** A field that has no text of its own, as a terminal: it takes keys, and may ask for a password. */
@RunWith(RobolectricTestRunner::class)
class KeysOnlyFieldTest {
    private val keys = mutableListOf<Int>()
    private val told = mutableListOf<Any>()

    private val field = object : BaseInputConnection(View(Robolectric.buildActivity(Activity::class.java).get()), false) {
        override fun sendKeyEvent(event: KeyEvent): Boolean {
            if (event.action == KeyEvent.ACTION_DOWN) keys += event.keyCode
            return true
        }

        // There is no text around the cursor.
        override fun deleteSurroundingText(before: Int, after: Int) = true
    }

    private val suggester = object : Suggester {
        override fun ask(request: EngineRequest) {
            told += request
        }

        override fun tell(notice: EngineNotice) {
            told += notice
        }
    }

    @Test
    fun `every key reaches it, backspace too, and nothing is learned`() {
        KeyboardShell(EditorAdapter(), UnseenScreen, suggester) { 0 }.use { shell ->
            val info = EditorInfo().apply {
                inputType = InputType.TYPE_NULL
                initialSelStart = 0
                initialSelEnd = 0
            }
            shell.focus(info, field, KeyboardSettings())
            told.clear()
            for (letter in listOf("l", "s")) shell.handle(Event.Character(letter))
            shell.handle(Event.Backspace)
            shell.handle(Event.Space)
            shell.handle(Event.Enter)
        }
        val expected = listOf(
            KeyEvent.KEYCODE_L, KeyEvent.KEYCODE_S, KeyEvent.KEYCODE_DEL, KeyEvent.KEYCODE_SPACE, KeyEvent.KEYCODE_ENTER,
        )
        assertEquals(expected, keys)
        assertEquals(emptyList(), told)
    }
}
