package dev.nibble.keyboard

import android.app.Activity
import android.os.Looper
import android.os.SystemClock
import android.text.InputType
import android.view.Gravity
import android.view.MotionEvent
import android.view.inputmethod.BaseInputConnection
import android.view.inputmethod.EditorInfo
import android.widget.EditText
import android.widget.LinearLayout
import dev.nibble.KeyAction
import dev.nibble.ShiftState
import dev.nibble.Slot
import dev.nibble.keyboard.engine.EngineReport
import dev.nibble.keyboard.view.KeyboardView
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import java.time.Duration

/** The whole keyboard over a text field of the framework, and a user who touches it. */
class Typist(inputType: Int = MESSAGE, imeOptions: Int = 0, engineDelay: Long = 0) : AutoCloseable {
    val app = (RuntimeEnvironment.getApplication() as TestApplication).also { it.engineDelay = engineDelay }
    val activity: Activity = Robolectric.buildActivity(Activity::class.java).setup().get()
    val edit = EditText(activity)
    private val service = Robolectric.buildService(NibbleKeyboard::class.java).create()
    val keyboard: NibbleKeyboard = service.get()
    val view = keyboard.onCreateInputView() as KeyboardView
    private var reported = listOf(0, 0, -1, -1)

    init {
        edit.inputType = inputType
        edit.imeOptions = imeOptions
        edit.gravity = Gravity.TOP
        val rows = LinearLayout(activity).apply { orientation = LinearLayout.VERTICAL }
        rows.addView(edit, LinearLayout.LayoutParams(LinearLayout.LayoutParams.MATCH_PARENT, 0, 1f))
        rows.addView(view, LinearLayout.LayoutParams(LinearLayout.LayoutParams.MATCH_PARENT, LinearLayout.LayoutParams.WRAP_CONTENT))
        activity.setContentView(rows)
        edit.requestFocus()
        settle()
        await("the lexicon") { keyboard.suggester.local != null }
        startInput()
    }

    val text get() = edit.text.toString()

    /** The field takes the focus, or starts anew. */
    fun startInput() {
        val info = EditorInfo()
        val connection = checkNotNull(edit.onCreateInputConnection(info))
        // The view leaves this to the system.
        info.packageName = activity.packageName
        keyboard.onCreateInputMethodInterface().startInput(connection, info)
        reported = selection()
        settle()
    }

    private fun selection() = listOf(
        edit.selectionStart,
        edit.selectionEnd,
        BaseInputConnection.getComposingSpanStart(edit.text),
        BaseInputConnection.getComposingSpanEnd(edit.text),
    )

    /** Everything that is due happens, and the field reports. */
    fun settle() {
        shadowOf(Looper.getMainLooper()).idle()
        val now = selection()
        if (now != reported) {
            val (oldStart, oldEnd) = reported
            reported = now
            keyboard.onUpdateSelection(oldStart, oldEnd, now[0], now[1], now[2], now[3])
            shadowOf(Looper.getMainLooper()).idle()
        }
    }

    /** Waits in real time. */
    fun await(what: String, seconds: Int = 60, condition: () -> Boolean) {
        val end = System.nanoTime() + seconds * 1_000_000_000L
        while (!condition()) {
            check(System.nanoTime() < end) { "no $what in $seconds s" }
            Thread.sleep(1)
            shadowOf(Looper.getMainLooper()).idle()
        }
        settle()
    }

    /** What the engine's process says of itself now. */
    fun report(): EngineReport {
        app.statistics.engine = null
        keyboard.measureEngine()
        await("report") { app.statistics.engine != null }
        return checkNotNull(app.statistics.engine)
    }

    fun awaitModel() = await("answer of the model") { keyboard.suggester.isFresh }

    fun touch(action: Int, x: Float, y: Float) {
        val time = SystemClock.uptimeMillis()
        val event = MotionEvent.obtain(time, time, action, x, y, 0)
        view.dispatchTouchEvent(event)
        event.recycle()
    }

    fun touch(target: KeyboardView.Target) {
        touch(MotionEvent.ACTION_DOWN, target.bounds.centerX(), target.bounds.centerY())
        touch(MotionEvent.ACTION_UP, target.bounds.centerX(), target.bounds.centerY())
        settle()
    }

    fun pass(milliseconds: Long) = shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(milliseconds))

    fun key(action: KeyAction) = checkNotNull(view.keyTarget(action)) { "no key $action" }

    /** Touches the keys of a text, with shift where its letters need it, [interval] milliseconds apart. */
    fun type(text: String, interval: Long = 100) {
        for (character in text) press(character, interval)
    }

    fun press(character: Char, interval: Long = 100) {
        val wantsCapital = character.isUpperCase()
        if (character.isLetter() && wantsCapital != (view.shift != ShiftState.OFF)) touch(key(KeyAction.Shift))
        pass(interval)
        touch(key(KeyAction.Character(character.lowercase())))
    }

    fun backspace() {
        pass(100)
        touch(key(KeyAction.Backspace))
    }

    fun slots(): List<Slot> = view.strip.slots

    fun tapSlot(index: Int) {
        pass(100)
        touch(view.targets.filterIsInstance<KeyboardView.SlotTarget>()[index])
    }

    /** An empty field takes the focus. */
    fun clear() {
        edit.setText("")
        startInput()
    }

    override fun close() {
        service.destroy()
        settle()
    }

    companion object {
        const val MESSAGE = InputType.TYPE_CLASS_TEXT or InputType.TYPE_TEXT_FLAG_CAP_SENTENCES or
            InputType.TYPE_TEXT_FLAG_MULTI_LINE
    }
}
