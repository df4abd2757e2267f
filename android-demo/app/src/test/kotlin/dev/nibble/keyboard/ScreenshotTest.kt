package dev.nibble.keyboard

import android.graphics.Rect
import android.text.InputType
import android.view.MotionEvent
import dev.nibble.KeyAction
import dev.nibble.Layout
import dev.nibble.LayoutPage
import dev.nibble.keyboard.view.KeyboardView
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import kotlin.test.assertEquals
import kotlin.test.assertTrue

/** Pictures of the whole keyboard. Each is taken in a state that is checked first, and compared with the committed one. */
@RunWith(RobolectricTestRunner::class)
@Config(qualifiers = "w411dp-h731dp-420dpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class ScreenshotTest {
    private fun Typist.picture(name: String) = picture(name, activity.window.decorView, suggested())

    /** Where the keyboard shows what the model suggests. */
    private fun Typist.suggested(): List<Rect> {
        val place = view.place()
        val slots = view.targets.filterIsInstance<KeyboardView.SlotTarget>()
        return slots.map { Rect().apply(it.bounds::roundOut).apply { offset(place.left, place.top) } }
    }

    /** Types in letters that can be read on a picture. */
    private fun Typist.write(text: String) {
        edit.textSize = 22f
        type(text)
    }

    @Test
    fun light() = Typist().use { typist ->
        typist.write("Let me know if you ar")
        typist.awaitModel()
        assertTrue(typist.slots().size == 3)
        typist.picture("keyboard-light")
        // Two keys that changed places are another look.
        typist.view.layout = Layout.builtin("qwertz")
        assertTrue(looksOtherwise("keyboard-light", typist.activity.window.decorView, typist.suggested()))
    }

    @Test
    @Config(qualifiers = "w411dp-h731dp-night-420dpi")
    fun dark() = Typist().use { typist ->
        typist.write("Let me know if you ar")
        typist.awaitModel()
        typist.picture("keyboard-dark")
    }

    @Test
    fun `a correction is pending`() = Typist().use { typist ->
        typist.write("I will be there tomorow")
        typist.awaitModel()
        assertEquals("tomorow", typist.slots().first().text)
        assertEquals(1, typist.view.strip.highlighted)
        typist.picture("correction-pending")
        typist.type(" ")
        assertEquals("I will be there tomorrow ", typist.text)
        typist.backspace()
        assertEquals("I will be there tomorow", typist.text.trimEnd())
    }

    @Test
    fun `ghost text is accepted by a swipe on the space bar`() = Typist().use { typist ->
        typist.write("I look forward to hear")
        typist.awaitModel()
        typist.pass(500)
        typist.await("ghost text") { typist.view.ghost.isNotEmpty() }
        assertEquals("ing from you", typist.view.ghost)
        typist.picture("ghost-text")
        val (before, ghost) = typist.text to typist.view.ghost
        val space = typist.key(KeyAction.Character(" ")).bounds
        typist.touch(MotionEvent.ACTION_DOWN, space.left + 20, space.centerY())
        typist.touch(MotionEvent.ACTION_MOVE, space.centerX(), space.centerY())
        typist.touch(MotionEvent.ACTION_UP, space.right - 20, space.centerY())
        typist.settle()
        assertEquals((before + ghost).trimEnd(), typist.text.trimEnd())
    }

    @Test
    fun `accents open above a held key`() = Typist().use { typist ->
        typist.write("Caf")
        val key = typist.key(KeyAction.Character("e")).bounds
        typist.touch(MotionEvent.ACTION_DOWN, key.centerX(), key.centerY())
        typist.pass(500)
        typist.picture("accents")
        typist.touch(MotionEvent.ACTION_UP, key.centerX(), key.centerY())
        typist.settle()
        assertEquals("Café", typist.text)
    }

    @Test
    fun emoji() = Typist().use { typist ->
        typist.write("Happy birthday")
        typist.awaitModel()
        typist.touch(typist.view.targets.first())
        assertTrue(typist.view.keyTarget(KeyAction.ShowPage(LayoutPage.LETTERS)) != null)
        typist.picture("emoji")
    }

    @Test
    @Config(qualifiers = "w731dp-h411dp-land-420dpi")
    fun landscape() = Typist().use { typist ->
        typist.write("See you ")
        typist.awaitModel()
        typist.picture("landscape")
    }

    @Test
    fun symbols() = Typist().use { typist ->
        typist.touch(typist.key(KeyAction.ShowPage(LayoutPage.SYMBOLS)))
        typist.picture("symbols")
    }

    @Test
    fun numbers() = Typist(InputType.TYPE_CLASS_NUMBER or InputType.TYPE_NUMBER_FLAG_SIGNED).use { typist ->
        typist.edit.textSize = 22f
        for (digit in "-1042") typist.touch(typist.key(KeyAction.Character("$digit")))
        assertEquals("-1042", typist.text)
        typist.touch(typist.key(KeyAction.Backspace))
        assertEquals("-104", typist.text)
        typist.picture("numbers")
    }

    @Test
    @Config(qualifiers = "sw800dp-w1280dp-h800dp-land-mdpi")
    fun tablet() = Typist().use { typist ->
        typist.write("See you ")
        typist.awaitModel()
        typist.picture("tablet")
    }
}
