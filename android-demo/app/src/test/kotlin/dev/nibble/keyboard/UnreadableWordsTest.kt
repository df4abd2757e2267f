package dev.nibble.keyboard

import java.io.FileNotFoundException
import kotlin.test.assertEquals
import kotlin.test.assertIs
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue
import dev.nibble.NibbleException
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** The keyboard types whatever became of the files that it opens. */
@RunWith(RobolectricTestRunner::class)
@Config(qualifiers = "w411dp-h731dp-420dpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class UnreadableWordsTest {
    private val app = RuntimeEnvironment.getApplication() as TestApplication
    private val file = app.noBackupFilesDir.resolve("words")

    private fun Typist.teachZimbowski() {
        repeat(3) {
            type("Hello Zimbowski, ")
            clear()
        }
        type("Hello Zimb")
        assertTrue(slots().any { it.text == "Zimbowski" }, "${slots()}")
    }

    @Test
    fun `a file that is none of words is set aside, and new words are kept`() {
        file.writeText("garbage")
        Typist().use { it.teachZimbowski() }
        assertEquals("garbage", app.unreadableWords.readText())
        assertTrue(file.length() > 0)
    }

    @Test
    fun `words are learned for as long as the process lives where their file cannot be opened`() {
        file.mkdirs()
        Typist().use { typist ->
            typist.teachZimbowski()
            var failure: Exception? = null
            app.changeWords({ it.erase() }) { failure = it }
            typist.await("failure") { failure != null }
            assertIs<NibbleException>(failure)
        }
    }

    @Test
    fun `a lexicon that is missing is tried again`() {
        var local: NibbleApplication.Local? = null
        app.lexiconFailure = FileNotFoundException("en.lex")
        app.withLocal { local = it }
        // Later work of the same thread fails as well, and says so.
        var failure: Exception? = null
        app.changeWords({}) { failure = it }
        await("failure") { failure != null }
        assertNull(local)
        app.lexiconFailure = null
        app.withLocal { local = it }
        await("engine") { local != null }
        assertNull(assertNotNull(local).failure)
    }
}
