package dev.nibble

import dev.nibble.examples.main
import dev.nibble.examples.suggest
import dev.nibble.support.Fixtures
import kotlinx.coroutines.test.runTest
import org.junit.jupiter.api.Test
import java.io.ByteArrayOutputStream
import java.io.PrintStream
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.minutes

/** Runs what the README shows. */
class ExamplesTest {
    @Test
    fun `quick start`() = runTest(timeout = 2.minutes) {
        val standard = System.out
        val output = ByteArrayOutputStream()
        System.setOut(PrintStream(output, true))
        try {
            main(arrayOf(Fixtures.model.path))
        } finally {
            System.setOut(standard)
        }
        assertTrue(output.toString().startsWith(" Paris"), "$output")
    }

    @Test
    fun `suggestions`() = runTest(timeout = 2.minutes) {
        assertEquals("you", suggest(Fixtures.model, Fixtures.lexicon, "How are ").first())
    }
}
