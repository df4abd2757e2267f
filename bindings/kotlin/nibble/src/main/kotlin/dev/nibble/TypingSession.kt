package dev.nibble

import dev.nibble.internal.TypingSession as NativeTypingSession
import java.io.Closeable

/**
 * A keyboard controller over a typing engine of the same process: events in, actions out. Requests and notices of the
 * controller are carried out on the way and do not occur among the actions. Threads take turns; no call waits for the
 * model.
 */
public class TypingSession private constructor(private val native: NativeTypingSession) : Closeable {

    /**
     * A keyboard without a field; the first event of use is [Event.Focus]. The engine's slots become those of the
     * settings.
     */
    public constructor(engine: TypingEngine, settings: KeyboardSettings = KeyboardSettings()) :
        this(settings.native().let { asked -> nativeCall { NativeTypingSession(engine.native, asked) } })

    /**
     * Takes an event and says what the shell is to do, in order.
     *
     * @param time milliseconds of a clock that never runs backwards; its origin does not matter
     */
    public fun handle(event: Event, time: Long): List<Action> {
        val told = event.at(time)
        return actions(nativeCall { native.handle(told) })
    }

    /** [handle] with the event and the actions as JSON, as in the scenario files. */
    public fun handleJson(event: String): String = nativeCall { native.handleJson(event.wellFormed()) }

    /** Takes the model's answer to the latest request, if it came since; no actions where it did not. */
    public fun poll(time: Long): List<Action> {
        val now = time.unsigned("time")
        return actions(nativeCall { native.poll(now) })
    }

    /**
     * Whether a model that is ready was not heard yet on the latest request: while it is so, poll again in some
     * milliseconds.
     */
    public fun awaitsModel(): Boolean = nativeCall { native.awaitsModel() }

    /**
     * Looks for ghost text, for when nothing was typed for a moment. It may take passes in the background; then the
     * text is there on a later call, until the next key.
     */
    public fun foresee(time: Long): List<Action> {
        val now = time.unsigned("time")
        return actions(nativeCall { native.foresee(now) })
    }

    /**
     * Throws what went wrong with the user model since the last call, if anything did. Nothing is learned where it
     * fails; everything else works on.
     */
    public fun checkLearning() {
        nativeCall { native.checkLearning() }
    }

    /** The text field as it will be when all edits have arrived; empty in secure fields. */
    public fun mirror(): EditorText = EditorText.of(nativeCall { native.mirror() })

    /** Whether the field's text is in doubt, because an answer to a reading of it is out. */
    public fun isUnsure(): Boolean = nativeCall { native.unsure() }

    /** Gives the session up, and the engine with it where nobody else has it. */
    override fun close() {
        native.close()
    }
}
