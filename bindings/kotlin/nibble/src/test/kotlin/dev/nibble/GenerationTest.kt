package dev.nibble

import dev.nibble.support.Fixtures
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.onCompletion
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.test.runTest
import kotlinx.coroutines.withContext
import org.junit.jupiter.api.AfterAll
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestInstance
import java.util.concurrent.CancellationException
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertIs
import kotlin.test.assertNotEquals
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes

/** At most; see `next_chunks` in `rust/nibble-ffi/src/generation.rs`. */
private const val STEPS_OF_A_CALL = 4

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class GenerationTest {
    private val model = runBlocking { Model.open(Fixtures.model, ModelOptions(context = 2048)) }

    @AfterAll
    fun close() = model.close()

    private suspend fun Flow<Chunk>.text() = toList().joinToString("") { it.text }

    private fun command(prompt: String, maxTokens: Int, vararg more: String) = Fixtures.nibble(
        "generate", Fixtures.model.path, "--json", "--no-special", "--prompt", prompt, "--max-tokens", "$maxTokens", *more,
    ).let { kotlinx.serialization.json.Json.parseToJsonElement(it) as kotlinx.serialization.json.JsonObject }
        .getValue("text").let { (it as kotlinx.serialization.json.JsonPrimitive).content }

    @Test
    fun `a stream is what the command gives`() = runTest {
        val prompts = listOf("The capital of France is", "Once upon a time", "Ein Hund, 犬, 🐕 and")
        for (prompt in prompts) {
            model.newSession().use { session ->
                val text = session.generate(prompt, GenerationOptions(maxTokens = 32)).text()
                assertEquals(command(prompt, 32), text)
            }
        }
        model.newSession().use { session ->
            val options = GenerationOptions(
                maxTokens = 24,
                temperature = 0.9f,
                topK = 40,
                topP = 0.9f,
                seed = 7,
                repetitionPenalty = 1.1f,
            )
            val text = session.generate(prompts[1], options).text()
            val sampling = "--temperature 0.9 --top-k 40 --top-p 0.9 --seed 7 --repetition-penalty 1.1".split(" ")
            assertEquals(command(prompts[1], 24, *sampling.toTypedArray()), text)
        }
    }

    @Test
    fun `the flow is cold, and its last chunk says why it ended`() = runTest {
        model.newSession().use { session ->
            val flow = session.generate("The capital of France is", GenerationOptions(maxTokens = 12))
            assertEquals(0, session.tokenCount())
            val chunks = flow.toList()
            assertEquals(chunks.map { it.text }, flow.toList().map { it.text })
            val last = chunks.last()
            assertEquals(StopReason.MAX_TOKENS, last.stopReason)
            assertEquals(12, last.stats?.generatedTokens)
            assertEquals(5, last.stats?.promptTokens)
            assertTrue(chunks.dropLast(1).all { it.stopReason == null && it.stats == null })
            assertEquals(chunks.map { it.text }.joinToString(""), model.decode(chunks.mapNotNull { it.token }))

            val stopped = session.generate("The capital of France is", GenerationOptions(stop = listOf("answer"))).toList()
            assertEquals(StopReason.STOP_STRING, stopped.last().stopReason)
            assertTrue("answer" !in stopped.joinToString("") { it.text })
        }
    }

    @Test
    fun `guesses change nothing`() = runTest {
        val prompt = "Flour 500 g, butter 250 g. Flour 500 g,"
        for (temperature in listOf(0f, 0.8f)) {
            val options = GenerationOptions(maxTokens = 24, temperature = temperature, seed = 3)
            val plain = model.newSession().use { it.generate(prompt, options).text() }
            val guessed = model.newSession().use { it.generate(prompt, options.copy(promptLookup = 7)).text() }
            assertEquals(plain, guessed)
        }
        model.newSession().use { session ->
            assertFailsWith<NibbleException.InvalidArgument> {
                session.generate(prompt, GenerationOptions(promptLookup = 32)).toList()
            }
        }
    }

    @Test
    fun `a session forks and is cut`() = runTest {
        model.newSession().use { session ->
            val prompt = "The capital of France is"
            val text = session.generate(prompt, GenerationOptions(maxTokens = 8)).text()
            session.fork().use { fork ->
                assertEquals(session.tokenCount(), fork.tokenCount())
                session.truncate(0)
                assertEquals(0, session.tokenCount())
                val last = fork.generate(prompt, GenerationOptions(maxTokens = 8)).toList().last()
                assertTrue((last.stats?.reusedTokens ?: 0) > 0)
            }
            assertEquals(text, session.generate(model.encode(prompt), GenerationOptions(maxTokens = 8)).text())
        }
    }

    @Test
    fun `cancelling ends the work`() = runBlocking<Unit> {
        model.newSession().use { session ->
            val five = Channel<Unit>()
            var collected = 0
            val collector = launch(Dispatchers.Default) {
                session.generate("Once upon a time", GenerationOptions(maxTokens = 1000, stopAtEndOfText = false)).collect {
                    collected += 1
                    if (collected == 5) five.send(Unit)
                }
            }
            five.receive()
            collector.cancelAndJoin()
            // One that waited to be collected, and the steps of one call.
            val prompt = model.encode("Once upon a time").size
            assertTrue(session.tokenCount() <= prompt + collected + 1 + STEPS_OF_A_CALL, "${session.tokenCount()} after $collected")
            // Nothing goes on behind the scenes: the session is free, and stays as it is.
            val held = session.tokenCount()
            assertEquals(held, session.tokenCount())
            assertEquals(1, session.generate("Once", GenerationOptions(maxTokens = 1)).toList().size)
        }
    }

    @Test
    fun `cancelling ends the reading of a long prompt`() = runBlocking<Unit> {
        model.newSession().use { session ->
            val prompt = List(1800) { 100 + it % 5000 }
            var ended: Throwable? = null
            val collector = launch(Dispatchers.Default) {
                session.generate(prompt, GenerationOptions(maxTokens = 1)).onCompletion { ended = it }.collect()
            }
            delay(300.milliseconds)
            collector.cancelAndJoin()
            assertIs<CancellationException>(ended)
            assertTrue(session.tokenCount() < prompt.size, "${session.tokenCount()} tokens were read")
            assertEquals(1, session.generate("Once", GenerationOptions(maxTokens = 1)).toList().size)
        }
    }

    @Test
    fun `operators that need no more end the work`() = runTest {
        model.newSession().use { session ->
            val flow = session.generate("Once upon a time", GenerationOptions(maxTokens = 500, stopAtEndOfText = false))
            assertEquals(3, flow.take(3).toList().size)
            assertEquals(flow.first().token, flow.first().token)
            assertTrue(session.tokenCount() <= model.encode("Once upon a time").size + 2 * STEPS_OF_A_CALL)
        }
    }

    @Test
    fun `an exception of the collector ends the work and comes out`() = runTest {
        model.newSession().use { session ->
            val error = runCatching {
                session.generate("Once upon a time", GenerationOptions(maxTokens = 500)).collect { error("enough") }
            }
            assertEquals("enough", error.exceptionOrNull()?.message)
            assertEquals(1, session.generate("Once", GenerationOptions(maxTokens = 1)).toList().size)
        }
    }

    @Test
    fun `closing a session ends what it generates`() = runBlocking<Unit> {
        val session = model.newSession()
        val begun = Channel<Unit>(1)
        val result = async(Dispatchers.Default) {
            runCatching {
                session.generate("Once upon a time", GenerationOptions(maxTokens = 2000, stopAtEndOfText = false))
                    .collect { begun.trySend(Unit) }
            }
        }
        begun.receive()
        session.close()
        val error = result.await().exceptionOrNull()
        assertTrue(error is NibbleException.Cancelled || error is NibbleException.Closed, "$error")
    }

    @Test
    fun `a second generation of a session is refused`() = runBlocking<Unit> {
        model.newSession().use { session ->
            val prompt = List(1800) { 100 + it % 5000 }
            val first = launch(Dispatchers.Default) { session.generate(prompt, GenerationOptions(maxTokens = 1)).collect() }
            delay(200.milliseconds)
            val error = runCatching { session.generate("a").collect() }.exceptionOrNull()
            first.cancelAndJoin()
            assertIs<NibbleException.Busy>(error)
        }
    }

    @Test
    fun `fifty sessions at once say what one says alone`() = runTest(timeout = 5.minutes) {
        val options = GenerationOptions(maxTokens = 16)
        val small = SessionOptions(context = 64)
        val prompts = List(10) { "Number ${it + 1} of the list is" }
        val alone = prompts.map { prompt -> model.newSession(small).use { it.generate(prompt, options).text() } }
        val together = withContext(Dispatchers.Default) {
            coroutineScope {
                List(50) { index ->
                    async { model.newSession(small).use { it.generate(prompts[index % 10], options).text() } }
                }.awaitAll()
            }
        }
        together.forEachIndexed { index, text -> assertEquals(alone[index % 10], text) }
        assertNotEquals(alone[0], alone[1])
    }

    @Test
    fun `a session outlives its model`() = runTest {
        val other = Model.open(Fixtures.tiny)
        val session = other.newSession()
        other.close()
        assertEquals(4, session.generate("a", GenerationOptions(maxTokens = 4, stopAtEndOfText = false)).toList().count { it.token != null })
        session.close()
    }

    @Test
    fun `a model says what it is`() = runTest {
        val info = model.info()
        assertEquals("llama", info.architecture)
        assertEquals(Fixtures.model.length(), info.bytes)
        assertTrue(info.parameters in 130_000_000..140_000_000)
        val inspected = ModelFile.at(Fixtures.model).use { it.inspect() }
        assertEquals(inspected.parameters, info.parameters)
        assertEquals("apache-2.0", inspected.license)
        assertTrue(model.memoryEstimate(SessionOptions(context = 64)).kvCache < model.memoryEstimate().kvCache)
        // Half of a surrogate pair is no character.
        assertEquals(model.encode("a\uFFFD"), model.encode("a\uD83D"))
        val special = "<|im_end|>"
        assertEquals(1, model.encode(special, parseSpecialTokens = true).size)
        assertTrue(model.encode(special).size > 1)
        assertNull(ModelFile.at(Fixtures.tiny).use { it.inspect().memory?.takeIf { memory -> memory.total <= 0 } })
    }

    @Test
    fun `a model opens from a part of a file`() = runTest {
        val package_ = java.io.File.createTempFile("package", ".zip")
        try {
            package_.writeBytes(ByteArray(8192) + Fixtures.tiny.readBytes() + ByteArray(100))
            java.io.FileInputStream(package_).use { stream ->
                val field = java.io.FileDescriptor::class.java.getDeclaredField("fd").apply { isAccessible = true }
                val descriptor = field.getInt(stream.fd)
                val opened = Model.openDescriptor(descriptor, 8192, Fixtures.tiny.length(), "assets/tiny.gguf")
                opened.use {
                    assertEquals("assets/tiny.gguf", it.info().file)
                    assertEquals(Fixtures.tiny.length(), it.info().bytes)
                }
                val error = runCatching { Model.openDescriptor(descriptor, 8191, Fixtures.tiny.length(), "shifted") }
                assertIs<NibbleException.WrongFormat>(error.exceptionOrNull())
            }
        } finally {
            package_.delete()
        }
    }
}
