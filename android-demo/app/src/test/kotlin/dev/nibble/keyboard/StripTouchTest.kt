package dev.nibble.keyboard

import android.app.Activity
import android.os.SystemClock
import android.view.MotionEvent
import dev.nibble.Event
import dev.nibble.KeyAction
import dev.nibble.Slot
import dev.nibble.Strip
import dev.nibble.SuggestionKind
import dev.nibble.keyboard.view.KeyboardView
import kotlin.test.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner

@RunWith(RobolectricTestRunner::class)
class StripTouchTest {
    private val events = mutableListOf<Event>()
    private val view = KeyboardView(Robolectric.buildActivity(Activity::class.java).setup().get(), events::add)

    private fun strip(serial: Long, vararg words: String) =
        Strip(serial, words.map { Slot(it, SuggestionKind.COMPLETION) }, null)

    private fun touch(action: Int, x: Float, y: Float) {
        val time = SystemClock.uptimeMillis()
        val event = MotionEvent.obtain(time, time, action, x, y, 0)
        view.dispatchTouchEvent(event)
        event.recycle()
    }

    @Test
    fun `a tap takes the word that the finger came down on`() {
        view.layout(0, 0, 1000, 800)
        view.showStrip(strip(1, "week", "weather", "weekend"))
        val place = view.targets.filterIsInstance<KeyboardView.SlotTarget>()[1].bounds
        touch(MotionEvent.ACTION_DOWN, place.centerX(), place.centerY())
        view.showStrip(strip(2, "weak", "wear", "well"))
        touch(MotionEvent.ACTION_UP, place.centerX(), place.centerY())
        assertEquals(listOf<Event>(Event.TapSuggestion(1, 1)), events)
    }

    @Test
    fun `a finger that drifts from a key onto the strip presses the key`() {
        view.layout(0, 0, 1000, 800)
        view.showStrip(strip(1, "week", "weather", "weekend"))
        val key = checkNotNull(view.keyTarget(KeyAction.Character("t"))).bounds
        val places = view.targets.filter { it !is KeyboardView.KeyTarget }.map { it.bounds }
        assertEquals(4, places.size, "three slots and the emoji")
        for (place in places) {
            touch(MotionEvent.ACTION_DOWN, key.centerX(), key.centerY())
            touch(MotionEvent.ACTION_MOVE, place.centerX(), place.centerY())
            touch(MotionEvent.ACTION_UP, place.centerX(), place.centerY())
        }
        assertEquals(List(4) { "t" }, events.map { (it as Event.Character).text })
    }
}
