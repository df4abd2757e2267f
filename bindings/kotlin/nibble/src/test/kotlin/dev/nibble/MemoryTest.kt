package dev.nibble

import dev.nibble.support.Fixtures
import dev.nibble.support.ProcessState
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.test.runTest
import org.junit.jupiter.api.Test
import java.io.File
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.minutes

class MemoryTest {
    private suspend fun cycle(file: File) {
        Model.open(file).use { model ->
            model.newSession(SessionOptions(context = 64)).use { session ->
                session.generate("The capital of", GenerationOptions(maxTokens = 2)).collect()
            }
        }
    }

    private suspend fun staysFlat(file: File, warmUp: Int, cycles: Int, kilobytes: Long) {
        repeat(warmUp) { cycle(file) }
        val before = ProcessState.now()
        repeat(cycles) { cycle(file) }
        val after = ProcessState.now()
        val grown = after.anonymousKilobytes - before.anonymousKilobytes
        println("${file.name}: $cycles times opened and closed, $grown KB more (of ${after.anonymousKilobytes} KB)")
        assertTrue(grown < kilobytes, "grew by $grown KB: $before, $after")
        assertTrue(after.descriptors <= before.descriptors + 4, "$before, $after")
        assertTrue(after.threads <= before.threads + 8, "$before, $after")
        assertEquals(0, ProcessState.mappings(file))
    }

    @Test
    fun `a tiny model opened and closed a thousand times`() = runTest(timeout = 5.minutes) {
        // What one cycle takes is several hundred kilobytes: a leak would be hundreds of megabytes.
        staysFlat(Fixtures.tiny, 200, 1000, 16_000)
    }

    @Test
    fun `the real model opened and closed twenty times`() = runTest(timeout = 5.minutes) {
        // The tables of its vocabulary alone are several megabytes.
        staysFlat(Fixtures.model, 5, 20, 16_000)
    }

    @Test
    fun `what is forgotten is closed when it is collected`() = runTest(timeout = 5.minutes) {
        repeat(50) { Model.open(Fixtures.tiny).newSession(SessionOptions(context = 16)) }
        var left = ProcessState.mappings(Fixtures.tiny)
        for (attempt in 1..50) {
            if (left <= 1) break
            System.gc()
            Thread.sleep(100)
            left = ProcessState.mappings(Fixtures.tiny)
        }
        assertTrue(left <= 1, "$left models are still mapped")
    }

    @Test
    fun `a typing engine opened and closed stays flat`() = runTest(timeout = 5.minutes) {
        suspend fun engine() = Lexicon.open(Fixtures.lexicon).use { lexicon ->
            TypingEngine(null, listOf(lexicon), UserModel.inMemory()).use { engine ->
                TypingSession(engine).use { it.handle(Event.Focus(FieldFocus()), 1) }
                engine.suggest(EditorContext("hel"))
            }
        }
        repeat(30) { engine() }
        val before = ProcessState.now()
        repeat(100) { engine() }
        val after = ProcessState.now()
        println("typing engine: ${after.anonymousKilobytes - before.anonymousKilobytes} KB more after 100 times")
        assertTrue(after.anonymousKilobytes - before.anonymousKilobytes < 16_000, "$before, $after")
    }
}
