package dev.nibble.keyboard

import android.content.Context
import dev.nibble.Action
import dev.nibble.EngineNotice
import dev.nibble.Event
import dev.nibble.FieldKind
import dev.nibble.TextEdit
import dev.nibble.keyboard.engine.EngineReport

/**
 * What the keyboard counts and measures for its user: numbers, never text. Nothing is counted in password fields and
 * where the field asks not to learn. For the main thread.
 */
class TypingStatistics(context: Context) {
    private val stored = context.getSharedPreferences("statistics", Context.MODE_PRIVATE)
    private var isCounting = false
    private var hasChanged = false

    /** Characters that the keyboard made in this field: others than its own are not counted when they are deleted. */
    private var inField = 0

    /** Keys that made or deleted text, and taps on suggestions; shift and changes of the page are none. */
    var keys = stored.getLong("keys", 0)
        private set

    /** Scalar values that were typed or accepted, and stood. */
    var characters = stored.getLong("characters", 0)
        private set

    /** Suggestions and pieces of ghost text that were taken. */
    var accepted = stored.getLong("accepted", 0)
        private set

    /** Corrections that were taken back. */
    var reverted = stored.getLong("reverted", 0)
        private set

    /** Share of keystrokes that were saved, 1 − keys / characters; null where nothing was typed. */
    val saved: Double? get() = if (characters > 0) 1 - keys.toDouble() / characters else null

    /** From a key to the suggestions of this process, since it began. */
    val toDictionary = Durations()

    /** From a key to the suggestions of the model, since this process began. */
    val toModel = Durations()

    /** What the engine's process reported last; null before it has. */
    var engine: EngineReport? = null
        set(value) {
            field = value
            onReport?.invoke()
        }

    /** Told of a new report. */
    var onReport: (() -> Unit)? = null

    /** Counts what happened and what the keyboard made of it; stores the counts when the field loses the focus. */
    fun count(event: Event, actions: List<Action>) {
        when (event) {
            is Event.Focus -> begin(event.focus.kind)
            Event.Blur -> save()
            else -> if (isCounting) countKey(event, actions)
        }
    }

    private fun begin(kind: FieldKind) {
        isCounting = kind != FieldKind.PASSWORD && kind != FieldKind.NO_LEARNING
        inField = 0
    }

    private fun countKey(event: Event, actions: List<Action>) {
        val edits = actions.filterIsInstance<Action.Edit>().map { it.edit }
        val isKey = when (event) {
            is Event.Character, Event.Space, is Event.TapSuggestion, is Event.AcceptGhost -> true
            // Enter may send what was typed, and backspace delete what others wrote.
            Event.Enter -> edits.isNotEmpty()
            Event.Backspace -> inField > 0
            else -> false
        }
        val change = maxOf(-inField, edits.sumOf(::growth))
        val isAccepted = (event is Event.TapSuggestion || event is Event.AcceptGhost) && edits.isNotEmpty()
        val reverts = actions.count { it is Action.Notify && it.notice is EngineNotice.Revert }
        if (isKey) keys++
        if (isAccepted) accepted++
        reverted += reverts
        inField += change
        characters += change
        hasChanged = hasChanged || isKey || change != 0 || reverts > 0
    }

    private fun growth(edit: TextEdit): Int = when (edit) {
        is TextEdit.Insert -> scalars(edit.text)
        is TextEdit.Delete -> -scalars(edit.before) - scalars(edit.after)
        // What goes is not known here, or nothing does.
        TextEdit.DeleteSelection, TextEdit.PressBackspace, is TextEdit.MoveCursor -> 0
    }

    private fun scalars(text: String) = text.codePointCount(0, text.length)

    private fun save() {
        if (!hasChanged) return
        hasChanged = false
        stored.edit().putLong("keys", keys).putLong("characters", characters)
            .putLong("accepted", accepted).putLong("reverted", reverted).apply()
    }

    /** Begins anew. */
    fun reset() {
        keys = 0
        characters = 0
        accepted = 0
        reverted = 0
        inField = 0
        toDictionary.clear()
        toModel.clear()
        stored.edit().clear().apply()
        hasChanged = false
    }
}
