package dev.nibble.keyboard

import android.app.Activity
import android.view.View
import android.text.InputType
import android.view.inputmethod.EditorInfo
import dev.nibble.EngineNotice
import dev.nibble.EngineRequest
import dev.nibble.Event
import dev.nibble.GhostPart
import dev.nibble.KeyboardSettings
import dev.nibble.LayoutPage
import dev.nibble.ShiftState
import dev.nibble.Strip
import dev.nibble.Suggestion
import dev.nibble.Suggestions
import dev.nibble.Tap
import org.json.JSONArray
import org.json.JSONObject
import org.json.JSONTokener
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import java.io.File
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import kotlin.test.fail

/**
 * Plays the scenarios of `rust/nibble-keyboard/scenarios`, whose README describes the form, through the adapter in a
 * field that reports as Android's do: positions in UTF-16, and readings that are answered at once.
 */
@RunWith(RobolectricTestRunner::class)
class ScenarioTest {
    private val view = View(Robolectric.buildActivity(Activity::class.java).setup().get())

    @Test
    fun `every scenario that Android can play plays as written`() {
        val files = File("../../rust/nibble-keyboard/scenarios").listFiles { file -> file.extension == "json" }.orEmpty()
        val failures = mutableListOf<String>()
        var played = 0
        for (file in files.sorted()) {
            val scenarios = JSONObject(file.readText()).getJSONArray("scenarios").objects()
            for (scenario in scenarios) {
                if (!isOfAndroid(scenario)) continue
                played++
                try {
                    ScenarioPlayer(scenario, view).use { it.play() }
                } catch (error: AssertionError) {
                    failures += "${file.name}: ${scenario.getString("name")}: ${error.message}"
                }
            }
        }
        println("scenarios played: $played, failed: ${failures.size}")
        if (failures.isNotEmpty()) fail(failures.joinToString("\n"))
        assertTrue(played >= 340, "only $played scenarios were played")
    }

    /** Readings are answered at once, and every field has positions. */
    private fun isOfAndroid(scenario: JSONObject): Boolean {
        if (scenario.getString("name") in OF_OTHER_PLATFORMS) return false
        val reports = scenario.optJSONObject("reports") ?: return true
        return reports.optString("answers", "at_once") == "at_once" && !reports.isNull("unit", absent = false)
    }

    private fun JSONObject.isNull(name: String, absent: Boolean) = if (has(name)) isNull(name) else absent
}

/** Scenarios of what does not occur here. */
private val OF_OTHER_PLATFORMS = setOf(
    // The text changes and neither cursor nor marked text do: a text view starts the input anew then, as in RESTARTED,
    // and what the engine is told has that focus.
    "Words that changed underneath are not learned",
    // Reports have no text.
    "Text that a report knows and the controller does not is taken over",
    "Text behind the cursor that a report knows and the controller does not is taken over",
    "Text more than a thousand characters behind the cursor is forgotten",
    // A field that gives less text than it is asked for has no more.
    "Where the text before the window is not known, no capital is due",
    "Nothing is asked where the word may begin outside of the window",
    // What searches is a search box, whose words are not corrected.
    "A correction before sending is not taken back",
)

/** Scenarios where an app sets a text that reports would not show. A text view starts the input anew then. */
private val RESTARTED = setOf("After a change by somebody else nothing is taken back")

private const val STEP_MS = 100L

private class ScenarioPlayer(private val scenario: JSONObject, private val view: View) : KeyboardScreen, Suggester, AutoCloseable {
    private val reports = scenario.optJSONObject("reports") ?: JSONObject()
    private val reportsAtOnce = reports.optString("when", "at_once") == "at_once"
    private var settings = settings(scenario.optJSONObject("settings"))
    private var time = 0L
    private val editor = EditorAdapter()
    private val shell = KeyboardShell(editor, this, this) { time }
    private var field = FakeEditor(view, "", 0, 0)
    private var kind = "message"
    private var info = EditorInfo()
    private var strips = mutableListOf(Strip(0, emptyList(), null))
    private val requests = mutableListOf<EngineRequest>()
    private var ghost = ""
    private var shift = ShiftState.OFF
    private var page = LayoutPage.LETTERS

    /** Since the last expectation. */
    private var asked = 0
    private val told = mutableListOf<String>()

    override fun showStrip(strip: Strip) {
        strips += strip
    }

    override fun showShift(state: ShiftState) {
        shift = state
    }

    override fun showPage(page: LayoutPage) {
        this.page = page
    }

    override fun showGhost(text: String) {
        ghost = text
    }

    override fun ask(request: EngineRequest) {
        requests += request
        asked++
    }

    override fun tell(notice: EngineNotice) {
        told += notice.toJson()
    }

    override fun close() = shell.close()

    fun play() {
        focus(scenario.optJSONObject("field"), scenario.optString("text"))
        asked = 0
        told.clear()
        scenario.getJSONArray("steps").values().forEachIndexed { index, step ->
            try {
                step(step)
            } catch (error: AssertionError) {
                throw AssertionError("step ${index + 1}: ${error.message}", error)
            }
        }
        deliver(Int.MAX_VALUE)
        time += 10_000
        shell.handle(Event.Idle)
        deliver(Int.MAX_VALUE)
    }

    private fun focus(asked: JSONObject?, marked: String) {
        val spec = asked ?: JSONObject()
        val (text, start, end) = unmark(marked)
        field = FakeEditor(
            view,
            text,
            start,
            end,
            reports.optInt("window", Int.MAX_VALUE),
            if (spec.has("limit")) spec.getInt("limit") else null,
            reports.optBoolean("batched", true),
            reports.optString("when") == "coalesced",
        )
        kind = spec.optString("kind", "message")
        info = editorInfo(spec)
        info.initialSelStart = start
        info.initialSelEnd = end
        time += STEP_MS
        shell.handle(Event.Configure(settings))
        shell.handle(Event.Focus(editor.focus(info, field)))
        if (reportsAtOnce) deliver(Int.MAX_VALUE)
    }

    private fun event(event: Event) {
        time += STEP_MS
        shell.handle(event)
        if (reportsAtOnce) deliver(Int.MAX_VALUE)
    }

    private fun deliver(count: Int) {
        for (delivered in 0 until count) {
            val (start, end, hasComposing) = field.nextReport() ?: break
            shell.selectionChanged(start, end, hasComposing)
        }
    }

    private fun step(step: Any) {
        val (name, value) = when (step) {
            is String -> step to JSONObject.NULL
            else -> (step as JSONObject).let { it.keys().next() to it.get(it.keys().next()) }
        }
        when (name) {
            "type" -> (value as String).codePoints().forEach { key ->
                event(
                    when (key) {
                        ' '.code -> Event.Space
                        '\n'.code -> Event.Enter
                        else -> Event.Character(String(Character.toChars(key)))
                    },
                )
            }
            "key" -> (value as JSONObject).let {
                val tap = it.optJSONObject("tap")?.let { tap -> Tap(tap.getDouble("x").toFloat(), tap.getDouble("y").toFloat()) }
                event(Event.Character(it.getString("text"), tap))
            }
            "backspace" -> repeat(value as Int) { event(Event.Backspace) }
            "shift" -> repeat(value as Int) { event(Event.Shift) }
            "layout" -> event(Event.Layout(named(value)))
            "move_cursor" -> event(Event.MoveCursor(value as Int))
            "tap" -> tap(value)
            "swipe" -> event(Event.AcceptGhost(named<GhostPart>(value)))
            "answer" -> answer(value as JSONObject)
            "engine" -> event(Event.Engine(value == "alive"))
            "configure" -> {
                settings = settings(value as JSONObject)
                event(Event.Configure(settings))
            }
            "focus" -> (value as JSONObject).let { focus(it.optJSONObject("field"), it.optString("text")) }
            "blur" -> {
                time += STEP_MS
                shell.blur()
            }
            "idle" -> event(Event.Idle)
            "cursor" -> foreign { select(position(value as Int), position(value)) }
            "select" -> foreign { (value as JSONArray).let { select(position(it.getInt(0)), position(it.getInt(1))) } }
            "paste" -> foreign { paste(value as String) }
            "set_text" -> unmark(value as String).let { (text, start, end) ->
                foreign { setText(text, start, end) }
                if (scenario.getString("name") in RESTARTED) restart(start, end)
            }
            "deliver" -> deliver(value as Int)
            "wait" -> time += (value as Int)
            "expect" -> expect(value as JSONObject)
            else -> fail("unknown step $name")
        }
    }

    private fun position(scalars: Int): Int {
        val text = field.before + field.selected + field.after
        return text.offsetByCodePoints(0, minOf(scalars, text.codePointCount(0, text.length)))
    }

    private fun foreign(change: FakeEditor.() -> Unit) {
        time += STEP_MS
        field.change()
        if (reportsAtOnce) deliver(Int.MAX_VALUE)
    }

    private fun restart(start: Int, end: Int) {
        info.initialSelStart = start
        info.initialSelEnd = end
        shell.focus(info, field, settings)
    }

    private fun tap(spec: Any) {
        val (text, ago) = when (spec) {
            is String -> spec to 0
            else -> (spec as JSONObject).let { it.getString("text") to it.getInt("strips_ago") }
        }
        val strip = strips[strips.lastIndex - ago]
        val slot = strip.slots.indexOfFirst { it.text == text }
        assertTrue(slot >= 0, "\"$text\" is not in ${strip.slots}")
        event(Event.TapSuggestion(strip.serial, slot))
    }

    private fun answer(spec: JSONObject) {
        val request = requests[requests.lastIndex - spec.optInt("requests_ago")]
        val items = spec.getJSONArray("items").objects().map {
            Suggestion(
                it.getString("text"),
                named(it.get("kind")),
                0f,
                it.optInt("replace"),
                it.optBoolean("automatic"),
            )
        }
        event(Event.Answer(Suggestions(request.context.epoch, items, spec.optBoolean("fresh"))))
    }

    private fun expect(expected: JSONObject) {
        val strip = strips.last()
        for (name in expected.keys()) {
            val found: Any? = when (name) {
                "text" -> field.before + (if (field.selected == "") "|" else "⟦${field.selected}⟧") + field.after
                "strip" -> strip.slots.map { it.text }
                "highlighted" -> strip.highlighted
                "ghost" -> ghost
                "shift" -> shift.name.lowercase()
                "layout" -> page.name.lowercase()
                "composing" -> field.composing
                "requests" -> asked
                "engine" -> told.map { normal(JSONTokener(it).nextValue()) }
                "performed" -> field.performed.map(::actionName)
                "request" -> null.also { expectRequest(expected.getJSONObject(name)) }
                // What the controller said on the way; here only the result counts.
                "edits", "reads" -> continue
                else -> fail("unknown expectation $name")
            }
            if (name != "request") assertEquals(normal(expected.get(name)), found, name)
        }
        if (expected.has("strip") && !expected.has("highlighted")) assertEquals(null, strip.highlighted, "highlighted")
        asked = 0
        told.clear()
        field.performed.clear()
    }

    private fun expectRequest(expected: JSONObject) {
        val context = requests.last().context
        if (expected.has("before")) assertEquals(expected.getString("before"), context.before, "request before")
        if (expected.has("after")) assertEquals(expected.getString("after"), context.after, "request after")
    }
}

private fun settings(json: JSONObject?) = KeyboardSettings.fromJson((json ?: JSONObject()).toString())

private inline fun <reified E : Enum<E>> named(name: Any): E = enumValueOf((name as String).uppercase())

private fun JSONArray.values(): List<Any> = (0 until length()).map { get(it) }

private fun JSONArray.objects(): List<JSONObject> = values().map { it as JSONObject }

/** The same value in one form: what is empty, null or false is left out of objects. */
private fun normal(value: Any?): Any? = when (value) {
    JSONObject.NULL -> null
    is JSONArray -> value.values().map(::normal)
    is JSONObject -> value.keys().asSequence().associateWith { normal(value.get(it)) }
        .filterValues { it != null && it != "" && it != emptyList<Any?>() && it != false }
    is Double -> value.toFloat()
    else -> value
}

private fun actionName(number: Int): String = when (number) {
    EditorInfo.IME_ACTION_GO -> "go"
    EditorInfo.IME_ACTION_SEARCH -> "search"
    EditorInfo.IME_ACTION_SEND -> "send"
    EditorInfo.IME_ACTION_NEXT -> "next"
    EditorInfo.IME_ACTION_PREVIOUS -> "previous"
    EditorInfo.IME_ACTION_DONE -> "done"
    else -> "default"
}

/** A field of Android that is what the scenario asks for. */
private fun editorInfo(spec: JSONObject) = EditorInfo().apply {
    imeOptions = when (spec.optString("action", "default")) {
        "go" -> EditorInfo.IME_ACTION_GO
        "search" -> EditorInfo.IME_ACTION_SEARCH
        "send" -> EditorInfo.IME_ACTION_SEND
        "next" -> EditorInfo.IME_ACTION_NEXT
        "previous" -> EditorInfo.IME_ACTION_PREVIOUS
        "done" -> EditorInfo.IME_ACTION_DONE
        else -> EditorInfo.IME_ACTION_UNSPECIFIED
    }
    val text = InputType.TYPE_CLASS_TEXT
    inputType = when (spec.optString("kind", "message")) {
        "email" -> text or InputType.TYPE_TEXT_VARIATION_LONG_MESSAGE
        "search" -> text or InputType.TYPE_TEXT_VARIATION_FILTER
        "url" -> text or InputType.TYPE_TEXT_VARIATION_URI
        "number" -> InputType.TYPE_CLASS_NUMBER
        "password" -> text or InputType.TYPE_TEXT_VARIATION_PASSWORD
        else -> text
    }
    if (spec.optString("kind") == "no_learning") imeOptions = imeOptions or EditorInfo.IME_FLAG_NO_PERSONALIZED_LEARNING
    if (inputType and InputType.TYPE_MASK_CLASS == text) {
        inputType = inputType or when (spec.optString("capitals", "sentences")) {
            "none" -> 0
            "words" -> InputType.TYPE_TEXT_FLAG_CAP_WORDS
            "characters" -> InputType.TYPE_TEXT_FLAG_CAP_CHARACTERS
            else -> InputType.TYPE_TEXT_FLAG_CAP_SENTENCES
        }
        if (spec.optBoolean("multi_line")) {
            inputType = inputType or InputType.TYPE_TEXT_FLAG_MULTI_LINE
            imeOptions = imeOptions or EditorInfo.IME_FLAG_NO_ENTER_ACTION
        }
    }
}

/** Splits marked text, in UTF-16: `|` is the cursor, `⟦⟧` enclose a selection; without either it is at the end. */
private fun unmark(marked: String): Triple<String, Int, Int> {
    val text = marked.filterNot { it in "|⟦⟧" }
    val (at, start, end) = Triple(marked.indexOf('|'), marked.indexOf('⟦'), marked.indexOf('⟧'))
    return when {
        at >= 0 -> Triple(text, at, at)
        start >= 0 -> Triple(text, start, end - 1)
        else -> Triple(text, text.length, text.length)
    }
}
