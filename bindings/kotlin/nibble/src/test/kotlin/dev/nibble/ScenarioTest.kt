package dev.nibble

import dev.nibble.support.Fixtures
import dev.nibble.support.Reporting
import dev.nibble.support.TextField
import dev.nibble.support.actionJson
import dev.nibble.support.editJson
import dev.nibble.support.eventJson
import dev.nibble.support.normal
import dev.nibble.support.noticeJson
import dev.nibble.support.scalars
import dev.nibble.support.tapsJson
import dev.nibble.support.word
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.boolean
import kotlinx.serialization.json.float
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.long
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestFactory
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import kotlin.test.fail

/**
 * Plays every scenario of `rust/nibble-keyboard/scenarios`, whose README describes the form, as values and as JSON at
 * the same time: two controllers that must say the same.
 */
class ScenarioTest {
    private val files = Fixtures.scenarios.listFiles { file -> file.extension == "json" }.orEmpty().sorted()
        .map { Json.parseToJsonElement(it.readText()).jsonObject }

    @TestFactory
    fun `every scenario plays as written`(): List<DynamicTest> = files.flatMap { file ->
        file.getValue("scenarios").jsonArray.map { scenario ->
            val name = "${file.text("group")}: ${scenario.jsonObject.text("name")}"
            DynamicTest.dynamicTest(name) { Player(scenario.jsonObject).use { it.play() } }
        }
    }

    @Test
    fun `there are as many scenarios as in the Rust tests`() {
        assertTrue(files.sumOf { it.getValue("scenarios").jsonArray.size } >= 80)
    }
}

/** Milliseconds that pass before every event. */
private const val STEP_MS = 100L

private class Player(private val scenario: JsonObject) : AutoCloseable {
    private val settings = settings(scenario["settings"])
    private val controller = KeyboardController(settings)
    private val twin = KeyboardController(settings)
    private val reports = scenario["reports"]?.jsonObject ?: JsonObject(emptyMap())
    private val reportsAtOnce = reports.text("when", "at_once") == "at_once"
    private val answersAtOnce = reports.text("answers", "at_once") == "at_once"
    private val unit = when (val unit = reports["unit"]) {
        null -> PositionUnit.SCALAR
        JsonNull -> null
        else -> named<PositionUnit>(unit)
    }
    private var field = TextField()

    /** Answers of fields that have lost the focus. */
    private val staleAnswers = ArrayDeque<EditorUpdate>()

    /** Whether the controller is to know the field's text. */
    private var mirrored = false
    private var time = 0L
    private val strips = mutableListOf(Strip(0, emptyList(), null))
    private val requests = mutableListOf<EngineRequest>()
    private var ghost = ""
    private var shift = ShiftState.OFF
    private var layout = LayoutPage.LETTERS

    /** What happened since the last expectation. */
    private var since = mutableListOf<Action>()

    fun play() {
        focus(scenario["field"], scenario.text("text", ""))
        since.clear()
        scenario.getValue("steps").jsonArray.forEachIndexed { index, step ->
            try {
                step(step)
            } catch (error: AssertionError) {
                throw AssertionError("step ${index + 1}: ${error.message}", error)
            }
        }
        settle()
    }

    override fun close() {
        controller.close()
        twin.close()
    }

    private fun focus(spec: JsonElement?, marked: String) {
        val asked = spec?.jsonObject ?: JsonObject(emptyMap())
        val (plain, from, to) = unmark(marked)
        val reporting = Reporting(
            text = reports.text("carry", "text") == "text",
            coalesced = reports.text("when", "at_once") == "coalesced",
            batched = reports["batched"]?.jsonPrimitive?.boolean ?: true,
            window = reports["window"]?.takeIf { it != JsonNull }?.jsonPrimitive?.int ?: Int.MAX_VALUE,
            unit = unit,
        )
        val next = TextField(plain, reporting, asked["limit"]?.jsonPrimitive?.int)
        next.select(from, to)
        while (next.nextReport() != null) { /* what happened before is of no interest */ }
        generateSequence { field.nextAnswer() }.forEach(staleAnswers::add)
        field = next
        val kind = asked["kind"]?.let { named<FieldKind>(it) } ?: FieldKind.MESSAGE
        mirrored = kind != FieldKind.PASSWORD
        val (text, selection) = field.read()
        event(
            Event.Focus(
                FieldFocus(
                    kind,
                    when (asked.text("capitals", "sentences")) {
                        "none" -> CapitalsMode.NEVER
                        else -> named(asked["capitals"] ?: JsonPrimitive("sentences"))
                    },
                    asked["multi_line"]?.jsonPrimitive?.boolean ?: false,
                    asked["action"]?.let { named<EditorAction>(it) } ?: EditorAction.DEFAULT,
                    text,
                    selection,
                    unit ?: PositionUnit.SCALAR,
                ),
            ),
        )
    }

    private fun event(event: Event) {
        time += STEP_MS
        handle(event)
        if (reportsAtOnce) deliver(Int.MAX_VALUE)
    }

    /** Hands an event over and carries out what follows. The field's answers come back at once. */
    private fun handle(event: Event) {
        val actions = controller.handle(event, time)
        val json = Json.parseToJsonElement(twin.handleJson(eventJson(event, time).toString()))
        assertEquals(normal(json), normal(JsonArray(actions.map(::actionJson))), "actions as JSON and as values")
        field.apply(actions)
        for (action in actions) {
            if (action is Action.Request) assertEquals(controller.epoch(), action.request.context.epoch)
            note(action)
        }
        if (answersAtOnce) answerReads()
    }

    private fun answerReads() {
        while (true) {
            handle(Event.Editor(staleAnswers.removeFirstOrNull() ?: field.nextAnswer() ?: break))
        }
    }

    private fun deliver(count: Int) {
        for (delivered in 0 until count) {
            handle(Event.Editor(field.nextReport() ?: break))
        }
    }

    private fun note(action: Action) {
        since += action
        when (action) {
            is Action.ShowStrip -> strips += action.strip
            is Action.ShowShift -> shift = action.state
            is Action.ShowLayout -> layout = action.page
            is Action.ShowGhost -> ghost = action.text
            is Action.Request -> requests += action.request
            else -> {}
        }
    }

    private fun step(step: JsonElement) {
        val (name, value) = when (step) {
            is JsonPrimitive -> step.content to JsonNull
            else -> step.jsonObject.entries.single().toPair()
        }
        when (name) {
            "type" -> value.jsonPrimitive.content.scalars().forEach { key ->
                event(
                    when (key) {
                        ' '.code -> Event.Space
                        '\n'.code -> Event.Enter
                        else -> Event.Character(String(Character.toChars(key)))
                    },
                )
            }
            "key" -> event(Event.Character(value.jsonObject.text("text"), value.jsonObject["tap"]?.let(::tapOf)))
            "backspace" -> repeat(value.jsonPrimitive.int) { event(Event.Backspace) }
            "shift" -> repeat(value.jsonPrimitive.int) { event(Event.Shift) }
            "layout" -> event(Event.Layout(named(value)))
            "move_cursor" -> event(Event.MoveCursor(value.jsonPrimitive.int))
            "tap" -> tap(value)
            "swipe" -> event(Event.AcceptGhost(named(value)))
            "answer" -> answer(value.jsonObject)
            "engine" -> event(Event.Engine(value.jsonPrimitive.content == "alive"))
            "configure" -> event(Event.Configure(settings(value)))
            "focus" -> focus(value.jsonObject["field"], value.jsonObject.text("text", ""))
            "blur" -> {
                mirrored = false
                event(Event.Blur)
            }
            "idle" -> event(Event.Idle)
            "cursor" -> foreign { select(value.jsonPrimitive.int, value.jsonPrimitive.int) }
            "select" -> foreign { select(value.jsonArray[0].jsonPrimitive.int, value.jsonArray[1].jsonPrimitive.int) }
            "paste" -> foreign { paste(value.jsonPrimitive.content) }
            "set_text" -> {
                val (text, from, to) = unmark(value.jsonPrimitive.content)
                foreign { setText(text, from, to) }
            }
            "deliver" -> {
                answerReads()
                deliver(value.jsonPrimitive.int)
            }
            "wait" -> time += value.jsonPrimitive.long
            "expect" -> expect(value.jsonObject)
            else -> fail("unknown step $name")
        }
    }

    private fun foreign(change: TextField.() -> Unit) {
        time += STEP_MS
        field.change()
        if (reportsAtOnce) deliver(Int.MAX_VALUE)
    }

    private fun tap(spec: JsonElement) {
        val (text, stripsAgo) = when (spec) {
            is JsonPrimitive -> spec.content to 0
            else -> spec.jsonObject.text("text") to spec.jsonObject.getValue("strips_ago").jsonPrimitive.int
        }
        val strip = strips[strips.lastIndex - stripsAgo]
        val slot = strip.slots.indexOfFirst { it.text == text }
        assertTrue(slot >= 0, "\"$text\" is not in ${strip.slots}")
        event(Event.TapSuggestion(strip.serial, slot))
    }

    private fun answer(spec: JsonObject) {
        val request = requests[requests.lastIndex - (spec["requests_ago"]?.jsonPrimitive?.int ?: 0)]
        val items = spec.getValue("items").jsonArray.map(JsonElement::jsonObject).map { item ->
            Suggestion(
                item.text("text"),
                named(item.getValue("kind")),
                0f,
                item["replace"]?.jsonPrimitive?.int ?: 0,
                item["automatic"]?.jsonPrimitive?.boolean ?: false,
            )
        }
        event(Event.Answer(Suggestions(request.context.epoch, items, spec["fresh"]?.jsonPrimitive?.boolean ?: false)))
    }

    private fun expect(expected: JsonObject) {
        val happened = since
        since = mutableListOf()
        val strip = strips.last()
        for ((name, value) in expected) {
            val found: Any? = when (name) {
                "text" -> marked()
                "edits" -> happened.filterIsInstance<Action.Edit>().map { normal(editJson(it.edit)) }
                "strip" -> strip.slots.map { it.text }
                "highlighted" -> strip.highlighted?.toFloat()
                "ghost" -> ghost
                "shift" -> word(shift).content
                "layout" -> word(layout).content
                "composing" -> field.composing
                "requests" -> happened.count { it is Action.Request }.toFloat()
                "request" -> null.also { expectRequest(value.jsonObject) }
                "engine" -> happened.filterIsInstance<Action.Notify>().map { normal(noticeJson(it.notice)) }
                "performed" -> happened.filterIsInstance<Action.PerformAction>().map { word(it.action).content }
                "reads" -> happened.count { it is Action.ReadText }.toFloat()
                else -> fail("unknown expectation $name")
            }
            if (name != "request") assertEquals(normal(value), found, name)
        }
        // A strip without `highlighted` has none.
        if ("strip" in expected && "highlighted" !in expected) assertEquals(null, strip.highlighted, "highlighted")
    }

    private fun expectRequest(expected: JsonObject) {
        val request = requests.last()
        for ((name, value) in expected) {
            val found = when (name) {
                "before" -> request.context.before
                "after" -> request.context.after
                "taps" -> normal(tapsJson(request.taps))
                else -> fail("unknown expectation of a request: $name")
            }
            assertEquals(normal(value), found, "request $name")
        }
    }

    /** Everything arrives; then the controller must know the field. */
    private fun settle() {
        answerReads()
        deliver(Int.MAX_VALUE)
        answerReads()
        time += 10_000
        handle(Event.Idle)
        answerReads()
        val mirror = controller.mirror()
        if (!mirrored) return assertEquals(EditorText(), mirror, "mirror")
        val (text, _) = field.read()
        assertEquals(text.selected, mirror.selected)
        assertTrue(
            mirror.before.endsWith(text.before) || mirror.beforeCut && text.before.endsWith(mirror.before),
            "mirror $mirror, field $text",
        )
        assertTrue(
            mirror.after.startsWith(text.after) || mirror.afterCut && text.after.startsWith(mirror.after),
            "mirror $mirror, field $text",
        )
        assertTrue(!controller.isUnsure(), "unsure")
    }

    private fun marked() = field.before + (if (field.selected == "") "|" else "⟦${field.selected}⟧") + field.after
}

private fun settings(json: JsonElement?) = KeyboardSettings.fromJson((json ?: JsonObject(emptyMap())).toString())

private inline fun <reified E : Enum<E>> named(json: JsonElement): E =
    enumValueOf(json.jsonPrimitive.content.uppercase())

private fun tapOf(json: JsonElement) =
    Tap(json.jsonObject.getValue("x").jsonPrimitive.float, json.jsonObject.getValue("y").jsonPrimitive.float)

private fun JsonObject.text(name: String): String = getValue(name).jsonPrimitive.content

private fun JsonObject.text(name: String, otherwise: String): String = this[name]?.jsonPrimitive?.content ?: otherwise

/**
 * Splits marked text: `|` is the cursor, `⟦⟧` enclose a selection; without either the cursor is at the end.
 */
private fun unmark(marked: String): Triple<String, Int, Int> {
    fun position(mark: Char) = marked.indexOf(mark).takeIf { it >= 0 }?.let { marked.take(it).scalars().size }
    val text = marked.filterNot { it in "|⟦⟧" }
    val (at, start, end) = Triple(position('|'), position('⟦'), position('⟧'))
    return when {
        at != null -> Triple(text, at, at)
        start != null && end != null -> Triple(text, start, end - 1)
        else -> text.scalars().size.let { Triple(text, it, it) }
    }
}
