package dev.nibble.keyboard

import android.graphics.Bitmap
import android.graphics.Canvas
import android.text.InputType
import android.view.MotionEvent
import android.view.accessibility.AccessibilityNodeInfo
import dev.nibble.KeyAction
import dev.nibble.LayoutPage
import dev.nibble.SuggestionKind
import org.json.JSONObject
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import java.io.File
import java.util.concurrent.TimeUnit
import kotlin.math.abs
import kotlin.test.assertEquals
import kotlin.test.assertTrue

/** The whole service with the real library, the real model in a second process, and touches. */
@RunWith(RobolectricTestRunner::class)
@Config(qualifiers = "w411dp-h731dp-420dpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class TypingTest {
    private val paragraph = listOf(
        "What time do you want to meet tomorrow?",
        "Let me know if you have any questions about the meeting.",
        "Thank you very much for your help with this project.",
        "We should go to the store after work today.",
        "Please send me the report as soon as possible.",
        "How are you doing this morning?",
        "The weather is really nice here, so we are going to the beach.",
        "Can you call me when you get home?",
    )

    @Test
    fun `a paragraph typed by touches is exactly the intended text`() {
        Typist().use { typist ->
            val saved = 100 * typeExactly(typist, paragraph)
            val expected = savedByCommand()
            println("keystrokes saved: %.2f %% by touches, %.2f %% by nibble eval typing".format(saved, expected))
            assertTrue(abs(saved - expected) <= 1, "$saved % saved, $expected % by the command")
            val latencies = typist.app.statistics.toModel
            println("key to suggestion over the pipe: p50 %.1f ms, p95 %.1f ms of ${latencies.count}".format(latencies.quantile(0.5), latencies.quantile(0.95)))
        }
    }

    @Test
    @Config(sdk = [26, 35])
    fun `its first sentences on the oldest and the newest Android`() {
        Typist().use { typist ->
            val saved = typeExactly(typist, paragraph.take(2))
            assertTrue(saved > 0.5, "$saved saved")
        }
    }

    /** Types sentences, each in an empty field, and gives the share of keystrokes that were saved. */
    private fun typeExactly(typist: Typist, sentences: List<String>): Double {
        typist.app.preferences.correction = CorrectionStrength.OFF
        var (keys, characters) = 0 to 0
        for (sentence in sentences) {
            typist.clear()
            keys += typeSentence(typist, sentence)
            characters += sentence.length
            // A space that came by itself may stand at the end.
            assertEquals(sentence, typist.text.removeSuffix(" "))
        }
        return 1 - keys.toDouble() / characters
    }

    /** Accepts every suggestion that completes the word as soon as it is shown. Gives the number of keys, shift left out. */
    private fun typeSentence(typist: Typist, sentence: String): Int {
        var keys = 0
        val declined = mutableSetOf<Int>()
        var acceptedAt = 0
        while (true) {
            typist.awaitModel()
            val text = typist.text
            val reached = when {
                sentence.startsWith(text) -> text.length
                text.endsWith(" ") && sentence.startsWith(text.dropLast(1)) -> text.length - 1
                else -> {
                    typist.backspace()
                    keys++
                    declined += acceptedAt
                    continue
                }
            }
            val next = sentence.getOrNull(reached) ?: return keys
            keys++
            assertTrue(keys < 3 * sentence.length, "\"$text\" is not \"$sentence\"")
            val start = text.indexOfLast { !it.isLetter() } + 1
            val slot = typist.slots().filter { it.kind != SuggestionKind.TYPED && it.kind != SuggestionKind.EMOJI }.take(3)
                .firstOrNull {
                    val end = start + it.text.length
                    end > reached && sentence.startsWith(it.text, start) && sentence.getOrNull(end)?.isLetter() != true
                }
            if (slot != null && reached !in declined) {
                acceptedAt = reached
                typist.tapSlot(typist.slots().indexOf(slot))
            } else {
                if (next in "?!;:") {
                    typist.view.showPage(LayoutPage.SYMBOLS)
                    typist.press(next)
                    typist.view.showPage(LayoutPage.LETTERS)
                } else {
                    typist.press(next)
                }
                // The keyboard moved an automatic space behind the mark: the command counts it as a key.
                if (!next.isLetter() && next != ' ' && sentence.getOrNull(reached + 1) == ' ' && typist.text.endsWith(" ")) keys++
            }
        }
    }

    /** What the command measures on the same text. */
    private fun savedByCommand(): Double {
        val text = File.createTempFile("sentences", ".txt").apply { writeText(paragraph.joinToString("\n")) }
        val command = listOf(
            System.getProperty("nibble.command"), "eval", "typing", "--json", "--text", text.path,
            "--model", Installed.model.path, "--lexicon", Installed.lexicon.path,
        )
        val process = ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start()
        val output = process.inputStream.readBytes().decodeToString()
        check(process.waitFor() == 0) { "nibble eval typing failed" }
        return JSONObject(output.trim().lines().last()).getDouble("kss")
    }

    @Test
    @Config(sdk = [26, 34, 35])
    fun `an engine that is killed in mid-word loses no character`() {
        Typist().use { typist ->
            typist.type("Hello wor")
            typist.awaitModel()
            val killed = typist.app.pipe.process
            Runtime.getRuntime().exec(arrayOf("kill", "-KILL", "${killed.pid()}")).waitFor()
            typist.type("ld and the we")
            assertEquals("Hello world and the we", typist.text)
            // The lexicon answers meanwhile, and the model when it is back.
            assertTrue(typist.slots().isNotEmpty())
            assertTrue(killed.waitFor(10, TimeUnit.SECONDS), "it was killed")
            typist.awaitModel()
            assertTrue(typist.slots().any { it.text == "weather" || it.text == "week" || it.text == "weekend" }, "${typist.slots()}")
            typist.type("ather")
            assertEquals("Hello world and the weather", typist.text)
        }
    }

    @Test
    @Config(sdk = [26, 34, 35])
    fun `a password reaches no engine and no file`() {
        Typist(InputType.TYPE_CLASS_TEXT or InputType.TYPE_TEXT_VARIATION_PASSWORD).use { typist ->
            val files = { typist.app.dataDir.walk().filter { it.isFile }.associate { it.path to it.length() } }
            val (sent, before) = typist.app.pipe.sent.size to files()
            typist.type("correct horse battery")
            typist.pass(3000)
            assertEquals("correct horse battery", typist.text)
            assertEquals(sent, typist.app.pipe.sent.size, "messages to the engine")
            assertEquals(before, files())
            assertTrue(typist.slots().isEmpty())
        }
    }

    @Test
    fun `a key is drawn without waiting for an engine that takes five seconds`() {
        Typist(engineDelay = 5000).use { typist ->
            val bitmap = Bitmap.createBitmap(typist.view.width, typist.view.height, Bitmap.Config.ARGB_8888)
            typist.view.draw(Canvas(bitmap))
            val text = "Hello there, my friend"
            val times = text.map { character ->
                val begin = System.nanoTime()
                typist.press(character)
                typist.view.draw(Canvas(bitmap))
                (System.nanoTime() - begin) / 1e6
            }.sorted()
            assertEquals(text, typist.text)
            assertTrue(!typist.keyboard.suggester.isFresh)
            println("key to drawing with a slow engine: p50 %.1f ms, worst %.1f ms".format(times[times.size / 2], times.last()))
            assertTrue(times.last() < 1000)
        }
    }

    @Test
    fun `twenty keys a second for a minute lose nothing`() {
        Typist().use { typist ->
            typist.app.preferences.correction = CorrectionStrength.OFF
            typist.startInput()
            val words = "the quick brown fox jumps over the lazy dog and runs away "
            val text = words.repeat(1200 / words.length + 1).take(1200)
            val begin = System.nanoTime()
            for (character in text) {
                // Not typed by shift: what stands on the keys counts.
                typist.pass(50)
                typist.touch(typist.key(KeyAction.Character("$character")))
            }
            val seconds = (System.nanoTime() - begin) / 1e9
            println("1200 keys in %.1f s".format(seconds))
            assertEquals(text, typist.text.replaceFirstChar { it.lowercase() })
        }
    }

    @Test
    fun `words are learned, kept and suggested by both engines`() {
        Typist().use { typist ->
            repeat(3) {
                typist.type("Hello Zimbowski, ")
                typist.clear()
            }
            typist.type("Hello Zimb")
            assertTrue(typist.slots().any { it.text == "Zimbowski" }, "${typist.slots()}")
            typist.awaitModel()
            assertTrue(typist.slots().any { it.text == "Zimbowski" }, "${typist.slots()}")
        }
    }

    @Test
    fun `a screen reader finds every key, large enough, and presses it`() {
        Typist().use { typist ->
            val nodes = typist.view.accessibilityNodeProvider
            val targets = typist.view.targets
            val names = targets.indices.map { "${checkNotNull(nodes.createAccessibilityNodeInfo(it)).contentDescription}" }
            assertTrue(names.all { it.isNotBlank() }, "$names")
            assertTrue(names.containsAll(listOf("Q", "Space", "Delete", "Shift", "Enter", "Emoji")), "$names")
            val density = typist.activity.resources.displayMetrics.density
            // Ten letters share the width of a phone; no keyboard has them wider.
            assertTrue(targets.all { it.bounds.height() >= 47.9 * density && it.bounds.width() >= 41 * density })
            for (name in listOf("H", "i", "Space")) {
                val current = typist.view.targets.indices.map { "${nodes.createAccessibilityNodeInfo(it)?.contentDescription}" }
                nodes.performAction(current.indexOf(name), AccessibilityNodeInfo.ACTION_CLICK, null)
                typist.settle()
            }
            assertEquals("Hi ", typist.text)
        }
    }

    @Test
    fun `a screen reader's focus is on one key, and stays there when the strip changes`() {
        Typist().use { typist ->
            val nodes = typist.view.accessibilityNodeProvider
            fun node(id: Int) = checkNotNull(nodes.createAccessibilityNodeInfo(id))
            fun named(name: String) = typist.view.targets.indices.single { "${node(it).contentDescription}".equals(name, ignoreCase = true) }
            fun focused() = typist.view.targets.indices.filter { node(it).isAccessibilityFocused }
            val (h, shift) = named("h") to named("Shift")
            val (focus, clear) = AccessibilityNodeInfo.ACTION_ACCESSIBILITY_FOCUS to AccessibilityNodeInfo.ACTION_CLEAR_ACCESSIBILITY_FOCUS
            assertTrue(nodes.performAction(h, focus, null))
            assertEquals(listOf(h), focused())
            assertTrue(!nodes.performAction(h, focus, null), "it is there already")
            assertEquals(listOf(clear), node(h).actionList.map { it.id }.filter { it == focus || it == clear })
            assertEquals(listOf(focus), node(shift).actionList.map { it.id }.filter { it == focus || it == clear })
            assertTrue(nodes.performAction(shift, focus, null))
            assertEquals(listOf(shift), focused())
            typist.type("he")
            assertTrue(typist.slots().isNotEmpty())
            assertEquals(listOf(shift), focused())
            assertEquals("Shift", "${node(shift).contentDescription}")
            assertTrue(!nodes.performAction(h, clear, null))
            assertTrue(nodes.performAction(shift, clear, null))
            assertEquals(emptyList(), focused())
            assertTrue(!nodes.performAction(1000, focus, null))
        }
    }

    @Test
    fun `the space bar moves the cursor, and a held backspace repeats`() {
        Typist().use { typist ->
            typist.type("One two")
            val space = typist.key(KeyAction.Character(" ")).bounds
            typist.touch(MotionEvent.ACTION_DOWN, space.centerX(), space.centerY())
            typist.touch(MotionEvent.ACTION_MOVE, space.centerX() - 40 * typist.activity.resources.displayMetrics.density, space.centerY())
            typist.touch(MotionEvent.ACTION_UP, space.centerX() - 40 * typist.activity.resources.displayMetrics.density, space.centerY())
            typist.settle()
            assertEquals(4, typist.edit.selectionStart)
            typist.edit.setSelection(7)
            typist.settle()
            val key = typist.key(KeyAction.Backspace).bounds
            typist.touch(MotionEvent.ACTION_DOWN, key.centerX(), key.centerY())
            typist.settle()
            typist.pass(400)
            typist.settle()
            typist.pass(50)
            typist.settle()
            typist.touch(MotionEvent.ACTION_UP, key.centerX(), key.centerY())
            typist.settle()
            typist.pass(500)
            assertEquals("One ", typist.text)
        }
    }
}
