package dev.nibble.keyboard

import android.view.inputmethod.EditorInfo
import android.view.inputmethod.InputConnection
import dev.nibble.Action
import dev.nibble.EngineNotice
import dev.nibble.EngineRequest
import dev.nibble.Event
import dev.nibble.KeyboardController
import dev.nibble.KeyboardSettings
import dev.nibble.LayoutPage
import dev.nibble.NibbleException
import dev.nibble.ShiftState
import dev.nibble.Strip
import dev.nibble.android.forField
import java.io.Closeable

/** What shows the keyboard. */
interface KeyboardScreen {
    /** Draws the strip of suggestions. */
    fun showStrip(strip: Strip)

    /** Draws the shift key and the letters so. */
    fun showShift(state: ShiftState)

    /** Shows a page of keys. */
    fun showPage(page: LayoutPage)

    /** Draws what would follow the cursor; empty for nothing. */
    fun showGhost(text: String)
}

/** What answers a controller's requests. An answer comes as an [Event.Answer], at once, later or never. */
interface Suggester {
    /** Asks for suggestions. Only the latest request matters. */
    fun ask(request: EngineRequest)

    /** Tells what the user did. */
    fun tell(notice: EngineNotice)
}

/**
 * A controller with what carries its actions out: the field, the screen and the suggester. For one thread.
 *
 * @param watch hears of everything that happens, and of what follows from it before that is carried out
 * @param clock milliseconds of a clock that never runs backwards
 */
class KeyboardShell(
    private val editor: EditorAdapter,
    private val screen: KeyboardScreen,
    private val suggester: Suggester,
    private val watch: (Event, List<Action>) -> Unit = { _, _ -> },
    private val clock: () -> Long,
) : Closeable {
    private val controller = KeyboardController()
    private var info = EditorInfo()
    private val events = ArrayDeque<Event>()
    private var isHandling = false

    /** A field took the focus, or the one that has it started anew. */
    fun focus(info: EditorInfo, connection: InputConnection?, settings: KeyboardSettings) {
        this.info = info
        configure(settings)
        handle(Event.Focus(editor.focus(info, connection)))
    }

    /** The user's settings changed. */
    fun configure(settings: KeyboardSettings) = handle(Event.Configure(settings.forField(info)))

    /** The field lost the focus. */
    fun blur() {
        handle(Event.Blur)
        editor.blur()
    }

    /** The field reported its selection, and whether text is marked in it. */
    fun selectionChanged(start: Int, end: Int, hasComposing: Boolean) {
        editor.selectionChanged(start, end, hasComposing)?.let { handle(Event.Editor(it)) }
    }

    /** Takes an event and carries out what follows. What happens meanwhile is handled afterwards. */
    fun handle(event: Event) {
        events += event
        if (isHandling) return
        isHandling = true
        try {
            while (true) {
                val next = events.removeFirstOrNull() ?: break
                val actions = try {
                    controller.handle(next, clock())
                } catch (_: NibbleException) {
                    // An app may say of its field what makes no sense. Nothing follows from that; the keys go on.
                    continue
                }
                watch(next, actions)
                carryOut(actions)
            }
        } finally {
            isHandling = false
        }
    }

    private fun carryOut(actions: List<Action>) {
        editor.carryOut(actions)?.let { events += Event.Editor(it) }
        for (action in actions) {
            when (action) {
                is Action.ShowStrip -> screen.showStrip(action.strip)
                is Action.ShowShift -> screen.showShift(action.state)
                is Action.ShowLayout -> screen.showPage(action.page)
                is Action.ShowGhost -> screen.showGhost(action.text)
                is Action.Request -> suggester.ask(action.request)
                is Action.Notify -> suggester.tell(action.notice)
                else -> {}
            }
        }
    }

    /** Gives the controller up. */
    override fun close() {
        controller.close()
    }
}
