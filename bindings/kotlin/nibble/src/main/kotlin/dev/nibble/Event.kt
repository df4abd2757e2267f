package dev.nibble

import dev.nibble.internal.CapitalsMode as NativeCapitalsMode
import dev.nibble.internal.EditorAction as NativeEditorAction
import dev.nibble.internal.EditorText as NativeEditorText
import dev.nibble.internal.EditorUpdate as NativeEditorUpdate
import dev.nibble.internal.Event as NativeEvent
import dev.nibble.internal.FieldFocus as NativeFieldFocus
import dev.nibble.internal.GhostPart as NativeGhostPart
import dev.nibble.internal.PositionUnit as NativePositionUnit
import dev.nibble.internal.Selection as NativeSelection
import dev.nibble.internal.Tap as NativeTap
import dev.nibble.internal.TimedEvent as NativeTimedEvent

/** Something that happened, told to a keyboard controller. */
public sealed interface Event {
    /**
     * A text field took the focus, or the one that has it started anew.
     *
     * @property focus the field
     */
    public data class Focus(val focus: FieldFocus) : Event

    /** The field lost the focus. Until the next focus nothing can be typed. */
    public data object Blur : Event

    /**
     * The text or the selection may have changed; also the answer to a reading of the text.
     *
     * @property update what the platform says
     */
    public data class Editor(val update: EditorUpdate) : Event

    /**
     * A key that types something.
     *
     * @property text what is on the key, before shift: usually one user-perceived character
     * @property tap where the key was touched, if it was
     */
    public data class Character(val text: String, val tap: Tap? = null) : Event

    /** The space bar. */
    public data object Space : Event

    /** The enter key. */
    public data object Enter : Event

    /** The backspace key; a held key repeats the event. */
    public data object Backspace : Event

    /** One tap of the shift key. Two in quick succession lock it. */
    public data object Shift : Event

    /**
     * A key that switches the page of keys.
     *
     * @property page the page
     */
    public data class Layout(val page: LayoutPage) : Event

    /**
     * The cursor is to move by so many user-perceived characters; negative is towards the start.
     *
     * @property by how many
     */
    public data class MoveCursor(val by: Int) : Event

    /**
     * A slot of the strip was tapped.
     *
     * @property strip serial of the strip that was on the screen
     * @property slot index of the slot in it
     */
    public data class TapSuggestion(val strip: Long, val slot: Int) : Event

    /**
     * The gesture that accepts ghost text.
     *
     * @property part how much of it
     */
    public data class AcceptGhost(val part: GhostPart) : Event

    /**
     * The engine answered.
     *
     * @property suggestions its answer
     */
    public data class Answer(val suggestions: Suggestions) : Event

    /**
     * The engine came up or died. It is taken for alive until told otherwise.
     *
     * @property alive whether it is alive
     */
    public data class Engine(val alive: Boolean) : Event

    /**
     * The user's settings changed.
     *
     * @property settings all of them
     */
    public data class Configure(val settings: KeyboardSettings) : Event

    /** Nothing but time passed: about a second after the last event. */
    public data object Idle : Event
}

internal fun Event.native(): NativeEvent = when (this) {
    is Event.Focus -> NativeEvent.Focus(focus.native())
    Event.Blur -> NativeEvent.Blur
    is Event.Editor -> NativeEvent.Editor(update.native())
    is Event.Character -> NativeEvent.Character(text.wellFormed(), tap?.native())
    Event.Space -> NativeEvent.Space
    Event.Enter -> NativeEvent.Enter
    Event.Backspace -> NativeEvent.Backspace
    Event.Shift -> NativeEvent.Shift
    is Event.Layout -> NativeEvent.Layout(page.native)
    is Event.MoveCursor -> NativeEvent.MoveCursor(by)
    is Event.TapSuggestion -> NativeEvent.TapSuggestion(strip.unsigned("strip"), slot.unsigned("slot"))
    is Event.AcceptGhost -> NativeEvent.AcceptGhost(part.native)
    is Event.Answer -> NativeEvent.Answer(suggestions.native())
    is Event.Engine -> NativeEvent.Engine(alive)
    is Event.Configure -> NativeEvent.Configure(settings.native())
    Event.Idle -> NativeEvent.Idle
}

internal fun Event.at(time: Long) = NativeTimedEvent(time.unsigned("time"), native())

/**
 * What a text field is, and its text when it takes the focus.
 *
 * @property kind kind of the field
 * @property capitals capitals that the field asks for. Fields whose text is no prose get none.
 * @property multiLine whether enter begins a new line instead of performing [action]
 * @property action what enter does in a field of one line
 * @property text text and selection, read when the field took the focus
 * @property selection absolute positions of the selection, where the platform has them
 * @property unit unit of all positions in this field
 */
public data class FieldFocus(
    val kind: FieldKind = FieldKind.MESSAGE,
    val capitals: CapitalsMode = CapitalsMode.SENTENCES,
    val multiLine: Boolean = false,
    val action: EditorAction = EditorAction.DEFAULT,
    val text: EditorText = EditorText(),
    val selection: Selection? = null,
    val unit: PositionUnit = PositionUnit.UTF16,
) {
    internal fun native() = NativeFieldFocus(
        kind.native,
        capitals.native,
        multiLine,
        action.native,
        text.native(),
        selection?.native(),
        unit.native,
    )
}

/** Which letters of a field are capitals by themselves. */
public enum class CapitalsMode(internal val native: NativeCapitalsMode) {
    /** None by themselves. */
    NEVER(NativeCapitalsMode.NEVER),

    /** The first of every sentence. */
    SENTENCES(NativeCapitalsMode.SENTENCES),

    /** The first of every word. */
    WORDS(NativeCapitalsMode.WORDS),

    /** All. */
    CHARACTERS(NativeCapitalsMode.CHARACTERS),
}

/** What the enter key does in a field of one line. */
public enum class EditorAction(internal val native: NativeEditorAction) {
    /** Whatever the platform does by default. */
    DEFAULT(NativeEditorAction.DEFAULT),

    /** Open what was typed. */
    GO(NativeEditorAction.GO),

    /** Search for it. */
    SEARCH(NativeEditorAction.SEARCH),

    /** Send it. */
    SEND(NativeEditorAction.SEND),

    /** Move to the next field. */
    NEXT(NativeEditorAction.NEXT),

    /** Move to the field before. */
    PREVIOUS(NativeEditorAction.PREVIOUS),

    /** Close the keyboard. */
    DONE(NativeEditorAction.DONE),
    ;

    internal companion object {
        fun of(native: NativeEditorAction) = entries.first { it.native == native }
    }
}

/**
 * A window of a field's text around the selection.
 *
 * @property before text before the selection
 * @property selected the selected text; empty where there is only a cursor
 * @property after text after the selection
 * @property beforeCut whether the field may have more text before the window
 * @property afterCut whether the field may have more text after the window
 */
public data class EditorText(
    val before: String = "",
    val selected: String = "",
    val after: String = "",
    val beforeCut: Boolean = false,
    val afterCut: Boolean = false,
) {
    internal fun native() =
        NativeEditorText(before.wellFormed(), selected.wellFormed(), after.wellFormed(), beforeCut, afterCut)

    internal companion object {
        fun of(native: NativeEditorText) =
            EditorText(native.before, native.selected, native.after, native.beforeCut, native.afterCut)
    }
}

/**
 * Absolute positions of the selection, counted from the field's start in the field's unit.
 *
 * @property start where it starts
 * @property end where it ends; the same as [start] for a cursor
 */
public data class Selection(val start: Int, val end: Int) {
    internal fun native() = NativeSelection(start.unsigned("start"), end.unsigned("end"))
}

/**
 * What a field's absolute positions count. They serve only to recognise the echo of an edit; everything else counts
 * scalar values.
 */
public enum class PositionUnit(internal val native: NativePositionUnit) {
    /** Unicode scalar values. */
    SCALAR(NativePositionUnit.SCALAR),

    /** UTF-16 code units, as in Android's callbacks. */
    UTF16(NativePositionUnit.UTF16),
}

/**
 * What the platform says about the text field. [text], [selection] or both are given.
 *
 * @property text text around the selection, where it was read
 * @property selection absolute positions of the selection, where the platform has them
 * @property answers serial of the reading that this answers; null for a report
 */
public data class EditorUpdate(
    val text: EditorText? = null,
    val selection: Selection? = null,
    val answers: Long? = null,
) {
    internal fun native() =
        NativeEditorUpdate(text?.native(), selection?.native(), answers?.unsigned("answers"))
}

/**
 * Where a finger came down, in key units of the layout's geometry.
 *
 * @property x widths of a letter key from the left edge
 * @property y widths of a letter key from the upper edge
 */
public data class Tap(val x: Float, val y: Float) {
    internal fun native() = NativeTap(x, y)

    internal companion object {
        fun of(native: NativeTap) = Tap(native.x, native.y)
    }
}

/** How much of the ghost text is accepted. */
public enum class GhostPart(internal val native: NativeGhostPart) {
    /** The next word. */
    WORD(NativeGhostPart.WORD),

    /** All of it. */
    ALL(NativeGhostPart.ALL),
}
