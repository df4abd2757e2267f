// Events and actions in the JSON form of the scenario files, written from the Kotlin values.
package dev.nibble.support

import dev.nibble.Action
import dev.nibble.CapitalsMode
import dev.nibble.EditorContext
import dev.nibble.EditorText
import dev.nibble.EditorUpdate
import dev.nibble.EngineNotice
import dev.nibble.Event
import dev.nibble.KeyboardSettings
import dev.nibble.Suggestion
import dev.nibble.Tap
import dev.nibble.TextEdit
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

fun eventJson(event: Event, time: Long): JsonObject {
    val (name, value) = when (event) {
        is Event.Focus -> "focus" to with(event.focus) {
            value(
                "kind" to word(kind),
                "capitals" to word(if (capitals == CapitalsMode.NEVER) "none" else capitals),
                "multi_line" to JsonPrimitive(multiLine),
                "action" to word(action),
                "text" to textJson(text),
                "selection" to selection?.let { value("start" to number(it.start), "end" to number(it.end)) },
                "unit" to word(unit),
            )
        }
        Event.Blur -> "blur" to null
        is Event.Editor -> "editor" to updateJson(event.update)
        is Event.Character -> "character" to value("text" to JsonPrimitive(event.text), "tap" to event.tap?.let(::tapJson))
        Event.Space -> "space" to null
        Event.Enter -> "enter" to null
        Event.Backspace -> "backspace" to null
        Event.Shift -> "shift" to null
        is Event.Layout -> "layout" to word(event.page)
        is Event.MoveCursor -> "move_cursor" to number(event.by)
        is Event.TapSuggestion -> "tap_suggestion" to value("strip" to number(event.strip), "slot" to number(event.slot))
        is Event.AcceptGhost -> "accept_ghost" to word(event.part)
        is Event.Answer -> "suggestions" to with(event.suggestions) {
            value(
                "epoch" to number(epoch),
                "items" to JsonArray(items.map(::suggestionJson)),
                "fresh" to JsonPrimitive(fresh),
            )
        }
        is Event.Engine -> "engine" to JsonPrimitive(event.alive)
        is Event.Configure -> "configure" to settingsJson(event.settings)
        Event.Idle -> "idle" to null
    }
    return JsonObject(mapOf("time" to number(time), name to (value ?: JsonNull)))
}

fun actionJson(action: Action): JsonElement = when (action) {
    is Action.Edit -> value("edit" to editJson(action.edit))
    is Action.Compose -> value("compose" to value("text" to JsonPrimitive(action.text)))
    Action.FinishComposing -> JsonPrimitive("finish_composing")
    is Action.PerformAction -> value("perform_action" to word(action.action))
    is Action.ReadText -> value("read_text" to value("serial" to number(action.serial)))
    is Action.ShowStrip -> value(
        "strip" to with(action.strip) {
            value(
                "serial" to number(serial),
                "slots" to JsonArray(slots.map { value("text" to JsonPrimitive(it.text), "kind" to word(it.kind)) }),
                "highlighted" to highlighted?.let(::number),
            )
        },
    )
    is Action.ShowShift -> value("shift" to word(action.state))
    is Action.ShowLayout -> value("layout" to word(action.page))
    is Action.ShowGhost -> value("ghost" to value("text" to JsonPrimitive(action.text)))
    is Action.Request -> value(
        "request" to value(
            "context" to contextJson(action.request.context),
            "taps" to tapsJson(action.request.taps),
        ),
    )
    is Action.Notify -> value("engine" to noticeJson(action.notice))
}

fun editJson(edit: TextEdit): JsonElement = when (edit) {
    is TextEdit.Insert -> value("insert" to value("text" to JsonPrimitive(edit.text)))
    is TextEdit.Delete ->
        value("delete" to value("before" to JsonPrimitive(edit.before), "after" to JsonPrimitive(edit.after)))
    TextEdit.DeleteSelection -> JsonPrimitive("delete_selection")
    TextEdit.PressBackspace -> JsonPrimitive("press_backspace")
    is TextEdit.MoveCursor -> value("move_cursor" to value("by" to number(edit.by), "over" to JsonPrimitive(edit.over)))
}

fun noticeJson(notice: EngineNotice): JsonElement = when (notice) {
    is EngineNotice.Focus -> value("focus" to value("field" to word(notice.field)))
    EngineNotice.Blur -> JsonPrimitive("blur")
    is EngineNotice.Accept -> value("accept" to value("suggestion" to suggestionJson(notice.suggestion)))
    is EngineNotice.Revert -> value(
        "revert" to value("typed" to JsonPrimitive(notice.typed), "correction" to JsonPrimitive(notice.correction)),
    )
    is EngineNotice.Commit ->
        value("commit" to value("before" to JsonPrimitive(notice.before), "text" to JsonPrimitive(notice.text)))
}

fun tapsJson(taps: List<Tap?>): JsonElement = JsonArray(taps.map { tap -> tap?.let(::tapJson) ?: JsonNull })

private fun tapJson(tap: Tap) = value("x" to number(tap.x), "y" to number(tap.y))

private fun suggestionJson(suggestion: Suggestion) = value(
    "text" to JsonPrimitive(suggestion.text),
    "kind" to word(suggestion.kind),
    "score" to number(suggestion.score),
    "replace" to number(suggestion.replace),
    "automatic" to JsonPrimitive(suggestion.automatic),
)

private fun contextJson(context: EditorContext) = value(
    "before" to JsonPrimitive(context.before),
    "after" to JsonPrimitive(context.after),
    "field" to word(context.field),
    "epoch" to number(context.epoch),
)

private fun textJson(text: EditorText) = value(
    "before" to JsonPrimitive(text.before),
    "selected" to JsonPrimitive(text.selected),
    "after" to JsonPrimitive(text.after),
    "before_cut" to JsonPrimitive(text.beforeCut),
    "after_cut" to JsonPrimitive(text.afterCut),
)

private fun updateJson(update: EditorUpdate) = value(
    "text" to update.text?.let(::textJson),
    "selection" to update.selection?.let { value("start" to number(it.start), "end" to number(it.end)) },
    "answers" to update.answers?.let(::number),
)

private fun settingsJson(settings: KeyboardSettings) = value(
    "language" to JsonPrimitive(settings.language),
    "slots" to number(settings.slots),
    "autocorrect" to JsonPrimitive(settings.autocorrect),
    "auto_capitals" to JsonPrimitive(settings.autoCapitals),
    "double_space" to JsonPrimitive(settings.doubleSpace),
)

/** A name as the scenario files write it. */
fun word(value: Any): JsonPrimitive = JsonPrimitive(value.toString().lowercase())

private fun number(value: Number) = JsonPrimitive(value)

private fun value(vararg fields: Pair<String, JsonElement?>) =
    JsonObject(fields.mapNotNull { (name, value) -> value?.let { name to it } }.toMap())

/**
 * The same value in one form: what is empty, null or false is left out, as the library does for some fields, and
 * numbers are 32-bit floating point.
 */
fun normal(element: JsonElement): Any? = when (element) {
    is JsonObject -> element.mapValues { (_, value) -> normal(value) }
        .filterValues { it != null && it != "" && it != emptyList<Any?>() && it != false }
    is JsonArray -> element.map(::normal)
    JsonNull -> null
    is JsonPrimitive -> when {
        element.isString -> element.content
        element.content == "true" || element.content == "false" -> element.content.toBoolean()
        else -> element.content.toFloat()
    }
}
