package dev.nibble.keyboard

import android.app.AlertDialog
import android.view.View
import android.widget.ListView
import dev.nibble.KeyAction
import dev.nibble.Model
import dev.nibble.TypingEngine
import dev.nibble.UserModel
import dev.nibble.android.ModelDirectory
import dev.nibble.keyboard.settings.SettingsActivity
import dev.nibble.keyboard.settings.WordsActivity
import java.io.File
import kotlin.test.assertEquals
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlinx.coroutines.runBlocking
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowAlertDialog

/** What the pages of the app change while a keyboard runs reaches it and the process of its engine, which stays the same. */
@RunWith(RobolectricTestRunner::class)
@Config(qualifiers = "w411dp-h731dp-420dpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class RunningChangesTest {
    private fun Typist.suggests(word: String) = slots().any { it.text == word }

    /** Waits until the engine of this process is another one, after a change of the settings. */
    private fun Typist.awaitNewLocal(change: () -> Unit) {
        val before = keyboard.suggester.local
        change()
        await("new engine") { keyboard.suggester.local !== before }
    }

    @Test
    fun `a word that is removed is gone from both engines at once`() = Typist().use { typist ->
        repeat(3) {
            typist.type("Hello Zimbowski, ")
            typist.clear()
        }
        typist.type("Hello Zimb")
        typist.awaitModel()
        assertTrue(typist.suggests("Zimbowski"), "${typist.slots()}")
        val process = typist.app.pipe.process

        val page = open<WordsActivity>()
        val list = page.views().filterIsInstance<ListView>().single()
        await("words") { list.adapter != null && list.adapter.count > 0 }
        val position = (0 until list.adapter.count).single { "Zimbowski" in "${list.adapter.getItem(it)}" }
        list.performItemClick(View(page), position, 0)
        idle()
        ShadowAlertDialog.getLatestAlertDialog().getButton(AlertDialog.BUTTON_POSITIVE).performClick()
        typist.await("an answer without the word") { typist.keyboard.suggester.isFresh && !typist.suggests("Zimbowski") }
        // Not only on the strip: the engine's process has forgotten it too.
        typist.backspace()
        typist.type("b")
        typist.awaitModel()
        assertTrue(!typist.suggests("Zimbowski"), "${typist.slots()}")
        assertEquals(process, typist.app.pipe.process)
        assertEquals("Hello Zimb", typist.text)
    }

    @Test
    fun `words that are imported are suggested at once`() = Typist().use { typist ->
        typist.type("Hello Qua")
        typist.awaitModel()
        assertTrue(!typist.suggests("Quarzwald"))
        var hasFailed = true
        typist.app.changeWords({ words -> words.importText(exportOf("Quarzwald")) }) { hasFailed = it != null }
        typist.await("the word") { typist.keyboard.suggester.isFresh && typist.suggests("Quarzwald") }
        assertTrue(!hasFailed)
    }

    /** What another keyboard exports that has learned this word. */
    private fun exportOf(word: String): String {
        val words = UserModel.inMemory()
        TypingEngine(null, emptyList(), words).use { engine ->
            repeat(5) { engine.commit("Hello ", word) }
            return words.exportText()
        }
    }

    @Test
    fun `the language changes while a word is typed`() = Typist().use { typist ->
        val process = typist.app.pipe.process
        typist.type("Die Geschich")
        typist.awaitModel()
        assertTrue(!typist.suggests("Geschichte"), "${typist.slots()}")
        val page = open<SettingsActivity>()
        typist.awaitNewLocal { page.click("Deutsch") }
        // The page took the focus.
        typist.startInput()
        assertEquals("Deutsch", typist.view.spaceLabel)
        assertTrue(typist.suggests("Geschichte"), "${typist.slots()}")
        typist.awaitModel()
        assertTrue(typist.suggests("Geschichte"), "${typist.slots()}")
        assertEquals(process, typist.app.pipe.process)
        typist.awaitNewLocal { page.click("English") }
        typist.type("t")
        typist.awaitModel()
        assertTrue(!typist.suggests("Geschichte"), "${typist.slots()}")
        assertEquals("Die Geschicht", typist.text)
    }

    @Test
    fun `the keys change under a word`() = Typist().use { typist ->
        typist.type("Hello my")
        val before = typist.key(KeyAction.Character("z")).bounds.top
        open<SettingsActivity>().click("QWERTZ")
        typist.settle()
        assertTrue(typist.key(KeyAction.Character("z")).bounds.top < before)
        typist.type(" zoo")
        assertEquals("Hello my zoo", typist.text)
    }

    @Test
    fun `the strength of correction changes while a word is typed`() = Typist().use { typist ->
        val page = open<SettingsActivity>()
        typist.type("See you tomorow")
        typist.awaitModel()
        assertEquals(1, typist.view.strip.highlighted)
        page.click(R.string.correction_off)
        typist.await("strip") { typist.keyboard.suggester.isFresh && typist.view.strip.highlighted == null }
        typist.type(" ")
        assertEquals("See you tomorow ", typist.text)
        // It is corrected only where it is all but certain to be wrong.
        typist.clear()
        // Its log odds, 3.8 to 3.9, are far from both thresholds: what the kernels of each CPU round differently is less.
        typist.type("Because of the wether")
        typist.awaitModel()
        for ((strength, highlighted) in listOf(R.string.correction_normal to 1, R.string.correction_careful to null)) {
            typist.awaitNewLocal { page.click(strength) }
            typist.await("strip") { typist.keyboard.suggester.isFresh && typist.view.strip.highlighted == highlighted }
            typist.backspace()
            typist.type("r")
            typist.awaitModel()
            assertEquals(highlighted, typist.view.strip.highlighted)
        }
    }

    @Test
    fun `settings that change between two keys lose nothing`() = Typist().use { typist ->
        typist.type("Hello wo")
        typist.app.preferences.layout = "azerty"
        typist.type("rld an")
        typist.app.preferences.correction = CorrectionStrength.CAREFUL
        typist.type("d all")
        assertEquals("Hello world and all", typist.text)
        typist.awaitModel()
        assertTrue(typist.slots().isNotEmpty())
    }

    @Test
    fun `another model answers as soon as it is chosen`() = Typist().use { typist ->
        val packaged = runBlocking { Model.open(Installed.model).use { it.info().name } }
        typist.type("Hello ")
        typist.awaitModel()
        assertEquals(packaged, typist.report().model)
        val tiny = File("../../rust/nibble-testkit/fixtures/phi3-tiny/model-f16.gguf")
        val models = ModelDirectory(typist.app)
        tiny.copyTo(models.directory.resolve("tiny.gguf"))
        typist.app.preferences.model = "tiny.gguf"
        typist.awaitModel()
        assertEquals("tiny random Phi-4-mini-like", typist.report().model)
        typist.app.preferences.model = null
        typist.type("wor")
        typist.awaitModel()
        assertEquals(packaged, typist.report().model)
        assertNull(typist.app.preferences.model)
        assertEquals("Hello wor", typist.text)
    }
}
