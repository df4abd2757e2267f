package dev.nibble

import dev.nibble.support.Fixtures
import dev.nibble.support.TextField
import dev.nibble.support.scalars
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.test.runTest
import kotlinx.coroutines.withContext
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.float
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.AfterAll
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestInstance
import org.junit.jupiter.api.io.TempDir
import java.io.File
import kotlin.math.abs
import kotlin.math.ln
import kotlin.test.assertEquals
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TypingTest {
    private val model = runBlocking { Model.open(Fixtures.model) }
    private val lexicon = runBlocking { Lexicon.open(Fixtures.lexicon) }
    private val emoji = runBlocking { EmojiTable.open(Fixtures.emoji) }

    @AfterAll
    fun close() = listOf(model, lexicon, emoji).forEach { it.close() }

    private val contexts = listOf(
        "", "I", "I am go", "How are ", "See you tomor", "see you tomorow", "Thank you very m", "I will be there in ten ",
        "teh", "recieve", "Can you pick up some mlik", "What time do you ", "The wether is", "Happy birth", "Happy birthday ",
        "I love ", "Let's go to the ", "don", "dont", "im", "Where is the nea", "Good mor", "Good morning", "Good morning, ",
        "Is there anything else I can h", "We need to tlak", "call me whe", "On my w", "I'm running lat", "Sounds g",
        "That was so funy", "The quick brown f", "What do you think about the new ", "You're wel", "asdf", "Hello 👋 w",
        "Ich bin ", "Did you see the gam", "I can't belive", "Please let me know if you hav",
    )

    @Test
    fun `suggestions are those of the command`() = runTest(timeout = 5.minutes) {
        for (withModel in listOf(false, true)) {
            val requests = contexts.joinToString("\n", postfix = "\n") { before ->
                buildJsonObject {
                    put("before", JsonPrimitive(before))
                    put("wait", JsonPrimitive(withModel))
                }.toString()
            }
            val options = if (withModel) arrayOf("--model", Fixtures.model.path) else emptyArray()
            val command = Fixtures.nibble("suggest", "--stdio", "--lexicon", Fixtures.lexicon.path, *options, input = requests)
            val answers = command.trim().lines().map { Json.parseToJsonElement(it).jsonObject }
            assertEquals(contexts.size, answers.size)
            val engine = TypingEngine(
                model.takeIf { withModel },
                listOf(lexicon),
                UserModel.inMemory(),
                TypingEngineOptions(emoji = emoji),
            )
            engine.use {
                contexts.zip(answers).forEach { (before, answer) ->
                    val context = EditorContext(before)
                    val suggestions = if (withModel) it.awaitFresh(context, 60.seconds) else it.suggest(context)
                    assertEquals(answer.getValue("fresh"), JsonPrimitive(suggestions.fresh), before)
                    val found = arranged(context, suggestions, 3)
                    val expected = answer.getValue("suggestions").jsonArray.map { item -> item.jsonObject }
                    assertEquals(
                        expected.map { item ->
                            listOf("text", "kind", "replace").map { name -> item.getValue(name).jsonPrimitive.content }
                        },
                        found.map { item -> listOf(item.text, item.kind.name.lowercase(), "${item.replace}") },
                        "after \"$before\"",
                    )
                    expected.zip(found).forEach { (item, suggestion) ->
                        assertTrue(abs(item.getValue("score").jsonPrimitive.float - suggestion.score) < 1e-4)
                    }
                }
            }
        }
    }

    /** What the command makes of an answer: a pending correction has a place, and the typed word comes last. */
    private fun arranged(context: EditorContext, suggestions: Suggestions, slots: Int): List<Suggestion> {
        val pending = suggestions.items.firstOrNull { it.automatic }?.takeIf { it.score >= ln(0.02f) }
            ?: return suggestions.items.take(slots)
        val shown = when {
            suggestions.items.indexOf(pending) < slots -> suggestions.items.take(slots)
            else -> suggestions.items.take(slots - 1) + pending
        }
        val typed = context.before.scalars().takeLast(pending.replace)
        val text = buildString { typed.forEach(::appendCodePoint) }
        return shown + Suggestion(text, SuggestionKind.TYPED, pending.score, pending.replace, false)
    }

    @Test
    fun `a sentence is typed, corrected and learned`(@TempDir folder: File) = runTest(timeout = 2.minutes) {
        val words = UserModel.open(folder.resolve("words"))
        val engine = TypingEngine(model, listOf(lexicon), words, TypingEngineOptions(emoji = emoji))
        val typing = TypingSession(engine)
        val field = TextField()
        var time = 0L
        var strip: Strip? = null
        fun carryOut(actions: List<Action>) {
            field.apply(actions)
            actions.filterIsInstance<Action.ShowStrip>().lastOrNull()?.let { strip = it.strip }
            assertTrue(actions.none { it is Action.Request || it is Action.Notify })
        }
        fun event(event: Event) {
            time += 150
            carryOut(typing.handle(event, time))
            generateSequence { field.nextReport() ?: field.nextAnswer() }
                .forEach { carryOut(typing.handle(Event.Editor(it), time)) }
        }
        event(Event.Focus(FieldFocus(text = EditorText(), selection = Selection(0, 0), unit = PositionUnit.SCALAR)))
        for (key in "teh weather is nyblish toda") {
            event(if (key == ' ') Event.Space else Event.Character("$key"))
        }
        engine.awaitIdle(60.seconds)
        repeat(500) {
            if (typing.awaitsModel()) {
                Thread.sleep(10)
                carryOut(typing.poll(time))
            }
        }
        val today = assertNotNull(strip).slots.indexOfFirst { it.text == "today" }
        assertTrue(today >= 0, "$strip")
        event(Event.TapSuggestion(assertNotNull(strip).serial, today))
        event(Event.Character("."))
        assertEquals("The weather is nyblish today. ", field.before)
        event(Event.Blur)
        typing.checkLearning()
        assertTrue(words.words().any { it.word == "nyblish" }, "${words.words()}")
        assertEquals(words.wordCount(), words.words().size)
        assertTrue(words.remove("nyblish"))
        assertTrue(words.words("nybl").isEmpty())
        words.sync()
        listOf(typing, engine, words).forEach { it.close() }
        UserModel.openReadOnly(folder.resolve("words")).use { kept ->
            assertTrue(kept.words().any { it.word == "weather" })
        }
    }

    @Test
    fun `controller and engine in two processes`() = runTest {
        val engine = TypingEngine(null, listOf(lexicon), UserModel.inMemory(), TypingEngineOptions(emoji = emoji))
        val controller = KeyboardController()
        val field = TextField()
        var strip: Strip? = null
        var time = 0L
        var asked: EngineRequest? = null
        fun carryOut(event: Event) {
            val actions = controller.handle(event, time)
            field.apply(actions)
            for (action in actions) {
                when (action) {
                    // All that crosses is JSON.
                    is Action.Request -> {
                        asked = EngineRequest.fromJson(action.request.toJson())
                        assertEquals(action.request, asked)
                    }
                    is Action.Notify -> {
                        val notice = EngineNotice.fromJson(action.notice.toJson())
                        assertEquals(action.notice, notice)
                        engine.notify(notice)
                    }
                    is Action.ShowStrip -> strip = action.strip
                    else -> {}
                }
            }
        }
        fun handle(event: Event) {
            time += 100
            carryOut(event)
            while (true) {
                val answer = engine.answer(asked ?: break)
                asked = null
                assertEquals(answer, Suggestions.fromJson(answer.toJson()))
                carryOut(Event.Answer(Suggestions.fromJson(answer.toJson())))
            }
        }
        handle(Event.Focus(FieldFocus()))
        val keys = Layout.builtin("qwerty").use { it.keys(LayoutPage.LETTERS) }
        for (letter in "hello wor") {
            val key = keys.first { it.action == KeyAction.Character("$letter") }
            handle(if (letter == ' ') Event.Space else Event.Character("$letter", Tap(key.x, key.y)))
        }
        assertTrue(assertNotNull(strip).slots.any { it.text == "world" }, "$strip")
        assertEquals("Hello wor", controller.mirror().before)
        controller.close()
        engine.close()
    }

    @Test
    fun `an engine loses and gets its model`() = runTest(timeout = 2.minutes) {
        TypingEngine(null, listOf(lexicon)).use { engine ->
            assertEquals(ModelState.Absent, engine.modelState())
            val context = EditorContext("How are ")
            assertTrue(!engine.awaitFresh(context).fresh)
            engine.setModel(model)
            engine.awaitIdle(60.seconds)
            assertEquals(ModelState.Ready, engine.modelState())
            assertEquals("you", engine.awaitFresh(context, 60.seconds).items.first().text)
            assertTrue(engine.suggest(context).fresh)
            assertTrue(engine.stats().passes >= 1)
            engine.setSlots(1)
            assertEquals(1, engine.suggest(context).items.size)
            engine.setModel(null)
            assertEquals(ModelState.Absent, engine.modelState())
            assertTrue(!engine.suggest(context).fresh)
        }
    }

    @Test
    fun `waiting for the model costs one pass and can be cancelled`() = runBlocking<Unit> {
        TypingEngine(model, listOf(lexicon)).use { engine ->
            engine.awaitIdle(60.seconds)
            val before = engine.stats().passes
            assertTrue(engine.awaitFresh(EditorContext("Where is the nearest "), 60.seconds).fresh)
            assertEquals(before + 1, engine.stats().passes)
            val waits = List(20) { index ->
                async(Dispatchers.Default) { engine.awaitFresh(EditorContext("Waiting number $index is "), 60.seconds) }
            }
            delay(5.milliseconds)
            waits.forEach { it.cancel() }
            waits.forEach { it.join() }
            assertTrue(engine.awaitFresh(EditorContext("Still "), 60.seconds).fresh)
        }
    }

    @Test
    fun `many threads ask at once`() = runBlocking<Unit> {
        TypingEngine(null, listOf(lexicon)).use { engine ->
            val alone = contexts.map { engine.suggest(EditorContext(it)).items }
            val together = withContext(Dispatchers.IO) {
                List(200) { index ->
                    async { index % contexts.size to engine.suggest(EditorContext(contexts[index % contexts.size])).items }
                }.awaitAll()
            }
            together.forEach { (index, items) -> assertEquals(alone[index], items) }
        }
    }

    @Test
    fun `half a character at the edge of a window does no harm`() = runTest {
        assertEquals("a\uFFFDb\uFFFD👋", "a\uDC4Bb\uD83D👋".wellFormed())
        val whole = "👋 hello"
        assertTrue(whole.wellFormed() === whole)
        TypingEngine(null, listOf(lexicon)).use { engine ->
            assertEquals("hello", engine.suggest(EditorContext("\uDC4B hell")).items.first().text)
        }
    }

    @Test
    fun `layouts have keys`() = runTest {
        assertEquals(listOf("azerty", "jcuken", "qwerty", "qwertz"), Layout.builtinNames().sorted())
        Layout.builtin("qwertz").use { layout ->
            assertEquals("qwertz", layout.name())
            val keys = layout.keys(LayoutPage.LETTERS)
            assertTrue(keys.size > 26)
            for (key in keys) {
                assertTrue(key.x in 0f..layout.width() && key.y in 0f..layout.height(), "$key")
                assertEquals(key.action, layout.keyAt(LayoutPage.LETTERS, key.x, key.y)?.action)
            }
            assertTrue(keys.map { it.action }.containsAll(listOf(KeyAction.Shift, KeyAction.Backspace, KeyAction.Enter)))
            assertNull(layout.keyAt(LayoutPage.LETTERS, -5f, 0f))
            val a = keys.first { it.action == KeyAction.Character("a") }
            assertTrue("â" in a.longPress, "$a")
        }
    }

    @Test
    fun `what the library and this package call things agrees`() {
        assertEquals(dev.nibble.internal.FieldKind.entries, FieldKind.entries.map { it.native })
        assertEquals(dev.nibble.internal.SuggestionKind.entries, SuggestionKind.entries.map { it.native })
        assertEquals(dev.nibble.internal.EditorAction.entries, EditorAction.entries.map { it.native })
        assertEquals(dev.nibble.internal.CapitalsMode.entries, CapitalsMode.entries.map { it.native })
        assertEquals(dev.nibble.internal.LayoutPage.entries, LayoutPage.entries.map { it.native })
        assertEquals(dev.nibble.internal.ShiftState.entries, ShiftState.entries.map { it.native })
        assertEquals(dev.nibble.internal.PositionUnit.entries, PositionUnit.entries.map { it.native })
        assertEquals(dev.nibble.internal.GhostPart.entries, GhostPart.entries.map { it.native })
        assertEquals(dev.nibble.internal.Activations.entries, Activations.entries.map { it.native })
        assertEquals(dev.nibble.internal.KvFormat.entries, KvFormat.entries.map { it.native })
        assertEquals(dev.nibble.internal.Priority.entries, Priority.entries.map { it.native })
        assertEquals(dev.nibble.internal.Priority.NORMAL, ModelOptions(priority = Priority.NORMAL).native().priority)
        assertEquals(dev.nibble.internal.StopReason.entries, StopReason.entries.map { it.native })
        assertEquals(dev.nibble.internal.LogLevel.entries, LogLevel.entries.map { it.native })
        // The defaults, which are written twice.
        assertEquals(dev.nibble.internal.ModelOptions(), ModelOptions().native())
        assertEquals(dev.nibble.internal.SessionOptions(), SessionOptions().native())
        assertEquals(dev.nibble.internal.GenerationOptions(), GenerationOptions().native())
        assertEquals(dev.nibble.internal.KeyboardSettings(), KeyboardSettings().native())
        assertEquals(dev.nibble.internal.UserModelBounds(), UserModelBounds().native())
        assertEquals(dev.nibble.internal.WordWeights(), WordWeights().native())
        assertEquals(dev.nibble.internal.CorrectionThresholds(), CorrectionThresholds().native())
        assertEquals(dev.nibble.internal.EditorText(), EditorText().native())
        assertEquals(
            dev.nibble.internal.CompleterOptions(
                thresholds = dev.nibble.internal.CorrectionThresholds(),
                weights = dev.nibble.internal.WordWeights(),
            ),
            TypingEngineOptions().native(),
        )
        assertEquals(Primers.builtin().message.isNotEmpty(), true)
    }

    @Test
    fun `the log tells counts and never text`() = runTest(timeout = 1.minutes) {
        Logs(LogLevel.DEBUG).use { logs ->
            logs.drain()
            TypingEngine(model, listOf(lexicon)).use { engine ->
                engine.awaitFresh(EditorContext("my secret is xylophone "), 60.seconds)
                engine.awaitIdle(10.seconds)
            }
            val records = logs.drain()
            assertTrue(records.none { "xylophone" in it.message || "secret" in it.message })
            assertTrue(records.all { it.level <= LogLevel.DEBUG && it.time > 0 && it.target.startsWith("nibble") })
            logs.setLevel(LogLevel.ERROR)
        }
    }
}
