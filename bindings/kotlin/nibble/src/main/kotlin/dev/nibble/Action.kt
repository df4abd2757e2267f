package dev.nibble

import dev.nibble.internal.Action as NativeAction
import dev.nibble.internal.EngineNotice as NativeEngineNotice
import dev.nibble.internal.EngineRequest as NativeEngineRequest
import dev.nibble.internal.ShiftState as NativeShiftState
import dev.nibble.internal.Strip as NativeStrip
import dev.nibble.internal.TextEdit as NativeTextEdit
import dev.nibble.internal.engineNoticeFromJson
import dev.nibble.internal.engineNoticeToJson
import dev.nibble.internal.engineRequestFromJson
import dev.nibble.internal.engineRequestToJson

/** Something that the keyboard's shell is to do. Actions are carried out in the order in which they come. */
public sealed interface Action {
    /**
     * Change the text field.
     *
     * @property edit how
     */
    public data class Edit(val edit: TextEdit) : Action

    /**
     * Mark [text], which is what stands directly before the cursor, as the word being composed. Any edit ends the
     * marking without changing the marked text.
     *
     * @property text the word
     */
    public data class Compose(val text: String) : Action

    /** End the marking without changing the text. */
    public data object FinishComposing : Action

    /**
     * Do what the field's enter key is for.
     *
     * @property action what that is
     */
    public data class PerformAction(val action: EditorAction) : Action

    /**
     * Read the text around the selection, after all edits so far, and send it as an update that answers [serial]. It
     * is the last action of its batch.
     *
     * @property serial serial to answer with
     */
    public data class ReadText(val serial: Long) : Action

    /**
     * Draw this strip.
     *
     * @property strip the strip
     */
    public data class ShowStrip(val strip: Strip) : Action

    /**
     * Draw the shift key and the letters so; off before the first.
     *
     * @property state state of the key
     */
    public data class ShowShift(val state: ShiftState) : Action

    /**
     * Show this page of keys; the letters before the first.
     *
     * @property page the page
     */
    public data class ShowLayout(val page: LayoutPage) : Action

    /**
     * Draw this after the cursor, greyed; empty for nothing.
     *
     * @property text what would be inserted
     */
    public data class ShowGhost(val text: String) : Action

    /**
     * Ask the engine for suggestions. Only the latest request matters.
     *
     * @property request the question
     */
    public data class Request(val request: EngineRequest) : Action

    /**
     * Tell the engine what the user did.
     *
     * @property notice what the user did
     */
    public data class Notify(val notice: EngineNotice) : Action
}

internal fun actions(native: List<NativeAction>): List<Action> = native.map(::action)

private fun action(native: NativeAction): Action = when (native) {
    is NativeAction.Edit -> Action.Edit(textEdit(native.edit))
    is NativeAction.Compose -> Action.Compose(native.text)
    NativeAction.FinishComposing -> Action.FinishComposing
    is NativeAction.PerformAction -> Action.PerformAction(EditorAction.of(native.action))
    is NativeAction.ReadText -> Action.ReadText(native.serial.signed())
    is NativeAction.ShowStrip -> Action.ShowStrip(Strip.of(native.strip))
    is NativeAction.ShowShift -> Action.ShowShift(ShiftState.of(native.state))
    is NativeAction.ShowLayout -> Action.ShowLayout(LayoutPage.of(native.page))
    is NativeAction.ShowGhost -> Action.ShowGhost(native.text)
    is NativeAction.Request -> Action.Request(EngineRequest.of(native.request))
    is NativeAction.Notify -> Action.Notify(EngineNotice.of(native.notice))
}

/** A change of the text field. Removed text is spelled out, so that a platform can count it in its own units. */
public sealed interface TextEdit {
    /**
     * Replace the selection by [text], or insert it at the cursor, and put the cursor behind it.
     *
     * @property text what is inserted
     */
    public data class Insert(val text: String) : TextEdit

    /**
     * Remove text around the cursor.
     *
     * @property before what stands directly before the cursor and goes
     * @property after what stands directly after the cursor and goes
     */
    public data class Delete(val before: String, val after: String) : TextEdit

    /** Remove the selected text. */
    public data object DeleteSelection : TextEdit

    /** Do what the platform's own backspace does: what stands before the cursor is not known. */
    public data object PressBackspace : TextEdit

    /**
     * Move the cursor; a selection collapses.
     *
     * @property by scalar values, counted from the end of the selection; negative is towards the start
     * @property over the text that is passed over
     */
    public data class MoveCursor(val by: Int, val over: String) : TextEdit
}

private fun textEdit(native: NativeTextEdit): TextEdit = when (native) {
    is NativeTextEdit.Insert -> TextEdit.Insert(native.text)
    is NativeTextEdit.Delete -> TextEdit.Delete(native.before, native.after)
    NativeTextEdit.DeleteSelection -> TextEdit.DeleteSelection
    NativeTextEdit.PressBackspace -> TextEdit.PressBackspace
    is NativeTextEdit.MoveCursor -> TextEdit.MoveCursor(native.by, native.over)
}

/**
 * The strip of suggestions above the keys.
 *
 * @property serial names this strip: a tap says which strip it was made on
 * @property slots from left to right. The word as typed comes first when a correction is pending.
 * @property highlighted the slot whose text replaces the typed word when the word ends; null for none
 */
public data class Strip(val serial: Long, val slots: List<Slot>, val highlighted: Int?) {
    internal companion object {
        fun of(native: NativeStrip) = Strip(
            native.serial.signed(),
            native.slots.map { Slot(it.text, SuggestionKind.of(it.kind)) },
            native.highlighted?.signed(),
        )
    }
}

/**
 * One slot of the strip.
 *
 * @property text what is shown
 * @property kind what it is
 */
public data class Slot(val text: String, val kind: SuggestionKind)

/** What the shift key does to the next letter. */
public enum class ShiftState(internal val native: NativeShiftState) {
    /** Nothing. */
    OFF(NativeShiftState.OFF),

    /** A capital, because a sentence or the like begins. */
    AUTOMATIC(NativeShiftState.AUTOMATIC),

    /** A capital, because the user asked for one. */
    MANUAL(NativeShiftState.MANUAL),

    /** Capitals until further notice. */
    LOCKED(NativeShiftState.LOCKED),
    ;

    internal companion object {
        fun of(native: NativeShiftState) = entries.first { it.native == native }
    }
}

/**
 * A question to the engine.
 *
 * @property context the text field. The answer must carry its epoch.
 * @property taps where the letters of the word before the cursor were touched: one entry for each of its scalar
 *   values, or none at all
 */
public data class EngineRequest(val context: EditorContext, val taps: List<Tap?>) {

    /** As JSON, to be sent to the process that has the engine. */
    public fun toJson(): String {
        val native = native()
        return nativeCall { engineRequestToJson(native) }
    }

    internal fun native() = NativeEngineRequest(context.native(), taps.map { it?.native() })

    /** Ways to get a request. */
    public companion object {
        /** The request that [toJson] wrote. */
        public fun fromJson(json: String): EngineRequest =
            of(nativeCall { engineRequestFromJson(json.wellFormed()) })

        internal fun of(native: NativeEngineRequest) =
            EngineRequest(EditorContext.of(native.context), native.taps.map { it?.let(Tap::of) })
    }
}

/** What the engine is told. In fields that do not learn, only [Focus] and [Blur] occur. */
public sealed interface EngineNotice {
    /**
     * Typing begins in a field. A secure one switches the engine off.
     *
     * @property field kind of the field
     */
    public data class Focus(val field: FieldKind) : EngineNotice

    /** Typing ended. */
    public data object Blur : EngineNotice

    /**
     * The user chose a suggestion. Its words are learned from the [Commit] that follows when they stand.
     *
     * @property suggestion the suggestion as it was shown
     */
    public data class Accept(val suggestion: Suggestion) : EngineNotice

    /**
     * The user took an automatic correction back.
     *
     * @property typed what was typed and stands again
     * @property correction what it had been replaced by
     */
    public data class Revert(val typed: String, val correction: String) : EngineNotice

    /**
     * Words that the user typed or accepted and went on from.
     *
     * @property before text before the words
     * @property text the words, usually one
     */
    public data class Commit(val before: String, val text: String) : EngineNotice

    /** As JSON, to be sent to the process that has the engine. */
    public fun toJson(): String {
        val native = native()
        return nativeCall { engineNoticeToJson(native) }
    }

    /** Ways to get a notice. */
    public companion object {
        /** The notice that [toJson] wrote. */
        public fun fromJson(json: String): EngineNotice = of(nativeCall { engineNoticeFromJson(json.wellFormed()) })

        internal fun of(native: NativeEngineNotice): EngineNotice = when (native) {
            is NativeEngineNotice.Focus -> Focus(FieldKind.of(native.field))
            NativeEngineNotice.Blur -> Blur
            is NativeEngineNotice.Accept -> Accept(Suggestion.of(native.suggestion))
            is NativeEngineNotice.Revert -> Revert(native.typed, native.correction)
            is NativeEngineNotice.Commit -> Commit(native.before, native.text)
        }
    }
}

internal fun EngineNotice.native(): NativeEngineNotice = when (this) {
    is EngineNotice.Focus -> NativeEngineNotice.Focus(field.native)
    EngineNotice.Blur -> NativeEngineNotice.Blur
    is EngineNotice.Accept -> NativeEngineNotice.Accept(suggestion.native())
    is EngineNotice.Revert -> NativeEngineNotice.Revert(typed.wellFormed(), correction.wellFormed())
    is EngineNotice.Commit -> NativeEngineNotice.Commit(before.wellFormed(), text.wellFormed())
}
