package dev.nibble

import dev.nibble.internal.KeyboardController as NativeKeyboardController
import dev.nibble.internal.KeyboardSettings as NativeKeyboardSettings
import dev.nibble.internal.settingsFromJson
import java.io.Closeable

/**
 * What the user can set about typing.
 *
 * @property language language of the text as a BCP 47 tag: spacing around punctuation, abbreviations, capitals
 * @property slots suggestions in the strip; the typed word beside a pending correction is not counted
 * @property autocorrect whether a mistyped word is replaced when it ends
 * @property autoCapitals whether sentences begin with a capital by themselves
 * @property doubleSpace whether two spaces in quick succession end a sentence
 */
public data class KeyboardSettings(
    val language: String = "en",
    val slots: Int = 3,
    val autocorrect: Boolean = true,
    val autoCapitals: Boolean = true,
    val doubleSpace: Boolean = true,
) {
    internal fun native() = NativeKeyboardSettings(
        language.wellFormed(),
        slots.unsigned("slots"),
        autocorrect,
        autoCapitals,
        doubleSpace,
    )

    /** Ways to get settings. */
    public companion object {
        /** Settings from JSON, in the form of the scenario files; what is not named is as usual. */
        public fun fromJson(json: String): KeyboardSettings {
            val settings = nativeCall { settingsFromJson(json.wellFormed()) }
            return KeyboardSettings(
                settings.language,
                settings.slots.signed(),
                settings.autocorrect,
                settings.autoCapitals,
                settings.doubleSpace,
            )
        }
    }
}

/**
 * A keyboard's whole behaviour as a state machine without input, output, threads or clocks. The shell turns touches
 * into events, carries out the actions and holds no rule of typing. Threads take turns.
 *
 * Its requests and notices are for an engine that may be in another process; where it is in this one, [TypingSession]
 * is simpler.
 */
public class KeyboardController private constructor(private val native: NativeKeyboardController) : Closeable {

    /** A keyboard without a field; the first event of use is [Event.Focus]. */
    public constructor(settings: KeyboardSettings = KeyboardSettings()) :
        this(settings.native().let { asked -> nativeCall { NativeKeyboardController(asked) } })

    /**
     * Takes an event and says what the shell is to do, in order. An event that makes no sense now has no effect.
     *
     * @param time milliseconds of a clock that never runs backwards; its origin does not matter
     */
    public fun handle(event: Event, time: Long): List<Action> {
        val told = event.at(time)
        return actions(nativeCall { native.handle(told) })
    }

    /**
     * [handle] with the event and the actions as JSON, in the form that the scenario files use:
     * `{"time": 100, "character": {"text": "a"}}` gives an array of actions.
     */
    public fun handleJson(event: String): String = nativeCall { native.handleJson(event.wellFormed()) }

    /** The text field as it will be when all edits have arrived; empty in secure fields. */
    public fun mirror(): EditorText = EditorText.of(nativeCall { native.mirror() })

    /** Whether the field's text is in doubt, because an answer to a reading of it is out. */
    public fun isUnsure(): Boolean = nativeCall { native.unsure() }

    /** The epoch of the text: an answer of the engine for another one has no effect. */
    public fun epoch(): Long = nativeCall { native.epoch() }.signed()

    /** Gives the controller up. */
    override fun close() {
        native.close()
    }
}
