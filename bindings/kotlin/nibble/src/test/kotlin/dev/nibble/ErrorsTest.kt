package dev.nibble

import dev.nibble.internal.RustBuffer
import dev.nibble.support.Fixtures
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.test.runTest
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.io.TempDir
import java.io.Closeable
import java.io.File
import java.io.RandomAccessFile
import kotlin.test.assertEquals
import kotlin.test.assertIs
import kotlin.test.assertTrue

class ErrorsTest {
    @TempDir
    lateinit var folder: File

    private suspend inline fun <reified E : NibbleException> failure(crossinline action: suspend () -> Unit): E = try {
        action()
        throw AssertionError("nothing failed")
    } catch (error: NibbleException) {
        assertIs<E>(error, "$error")
    }

    @Test
    fun `a model that is absent`() = runTest {
        val file = folder.resolve("absent.gguf")
        val error = failure<NibbleException.NotFound> { Model.open(file) }
        assertEquals(file.path, error.file)
        assertEquals("not_found", error.code)
    }

    @Test
    fun `a model that is no model`() = runTest {
        val file = folder.resolve("foreign.gguf").apply { writeText("This is a letter, not a model. ".repeat(50)) }
        assertEquals(file.path, failure<NibbleException.WrongFormat> { Model.open(file) }.file)
        assertEquals(file.path, failure<NibbleException.WrongFormat> { ModelFile.at(file).use { it.inspect() } }.file)
    }

    @Test
    fun `a model that was cut off, wherever`() = runTest {
        val whole = Fixtures.tiny.length()
        for (length in listOf(whole - 1, whole / 2, 5000, 30)) {
            val file = folder.resolve("cut.gguf")
            Fixtures.tiny.copyTo(file, overwrite = true)
            RandomAccessFile(file, "rw").use { it.setLength(length) }
            val error = failure<NibbleException.Truncated> { Model.open(file) }
            assertEquals(file.path, error.file)
            assertTrue(error.needed > error.available, "$error")
        }
    }

    @Test
    fun `a model that cannot be read`() = runTest {
        val error = failure<NibbleException.Io> { Model.open(folder) }
        assertEquals(folder.path, error.file)
        val secret = folder.resolve("secret.gguf").apply { writeBytes(Fixtures.tiny.readBytes()) }
        assertTrue(secret.setReadable(false))
        // Root reads everything.
        if (!secret.canRead()) failure<NibbleException.Io> { Model.open(secret) }
    }

    @Test
    fun `a model that is too large for the memory limit`() = runTest {
        val error = failure<NibbleException.MemoryLimit> {
            Model.open(Fixtures.tiny, ModelOptions(memoryLimit = 1_000_000))
        }
        assertEquals(1_000_000, error.available)
        Model.open(Fixtures.tiny, ModelOptions(memoryLimit = error.needed)).use { model ->
            assertEquals(error.needed, model.memoryEstimate().total)
        }
    }

    @Test
    fun `lexicons and user models that are something else, cut off or in use`() = runTest {
        val foreign = folder.resolve("foreign").apply { writeText("Dear all, ".repeat(100)) }
        failure<NibbleException.NotFound> { Lexicon.open(folder.resolve("absent.lex")) }
        failure<NibbleException.WrongFormat> { Lexicon.open(foreign) }
        failure<NibbleException.WrongFormat> { UserModel.open(foreign) }
        assertThrows<NibbleException.WrongFormat> { Lexicon.fromBytes(foreign.readBytes()) }
        val whole = Fixtures.lexicon.readBytes()
        assertThrows<NibbleException.Truncated> { Lexicon.fromBytes(whole.copyOf(whole.size - 7)) }
        whole[whole.size / 2] = (whole[whole.size / 2] + 1).toByte()
        assertThrows<NibbleException.Damaged> { Lexicon.fromBytes(whole) }

        val words = folder.resolve("words")
        UserModel.open(words).use { model ->
            model.importText(UserModel.inMemory().use { it.exportText() })
            failure<NibbleException.InUse> { UserModel.open(words) }
            UserModel.openReadOnly(words).use { reader -> failure<NibbleException.ReadOnly> { reader.erase() } }
        }
        UserModel.open(words).close()
    }

    @Test
    fun `arguments out of range`() = runTest {
        failure<NibbleException.InvalidArgument> { Model.open(Fixtures.tiny, ModelOptions(threads = -1)) }
        for (found in Backend.available().filter { !it.usable }) {
            assertTrue(found.remark != null)
            failure<NibbleException.InvalidArgument> {
                Model.open(Fixtures.tiny, ModelOptions(backend = found.backend))
            }
        }
        for (backend in listOf(Backend.CPU, Backend.AUTO)) {
            Model.open(Fixtures.tiny, ModelOptions(backend = backend)).use {
                assertEquals(BackendStatus("cpu", null), it.backend())
            }
        }
        failure<NibbleException.InvalidArgument> { Model.openDescriptor(-1, 0, 10, "asset") }
        Model.open(Fixtures.tiny).use { model ->
            assertThrows<NibbleException.InvalidArgument> { model.decode(listOf(1_000_000)) }
            assertThrows<NibbleException.InvalidArgument> { model.newSession(SessionOptions(context = -2)) }
            model.newSession().use { session ->
                failure<NibbleException.InvalidArgument> {
                    session.generate("a", GenerationOptions(temperature = -1f)).collect()
                }
            }
        }
        assertEquals("layout", assertThrows<NibbleException.InvalidArgument> { Layout.builtin("dvorak") }.argument)
        KeyboardController().use { controller ->
            assertThrows<NibbleException.InvalidArgument> { controller.handleJson("{\"time\": 1, \"type\": \"a\"}") }
            assertThrows<NibbleException.InvalidArgument> { controller.handle(Event.Idle, -1) }
        }
    }

    @Test
    fun `a text that does not fit`() = runTest {
        Model.open(Fixtures.tiny).use { model ->
            model.newSession(SessionOptions(context = 16)).use { session ->
                val long = List(17) { 5 }
                val error = failure<NibbleException.ContextFull> { session.generate(long).collect() }
                assertEquals(17, error.needed)
                assertEquals(16, error.available)
                // What came before the session was full stays, and the session can be used again.
                val chunks = mutableListOf<Chunk>()
                failure<NibbleException.ContextFull> {
                    session.generate(long.take(10), GenerationOptions(stopAtEndOfText = false)).collect { chunks += it }
                }
                assertTrue(chunks.size in 6..7, "${chunks.size}")
                assertEquals(3, session.generate(long.take(3), GenerationOptions(maxTokens = 3)).toList().last().generatedTokens)
            }
        }
    }

    @Test
    fun `a checksum that is another one`() = runTest {
        ModelFile.at(Fixtures.tiny).use { file ->
            val error = failure<NibbleException.ChecksumMismatch> { file.verify("0".repeat(64)).collect() }
            assertEquals(64, error.found.length)
            val progress = file.verify(error.found).toList()
            assertEquals(VerificationProgress(Fixtures.tiny.length(), Fixtures.tiny.length()), progress.last())
            failure<NibbleException.InvalidArgument> { file.verify("12").collect() }
        }
    }

    @Test
    fun `a model is prepared with progress and of one that is given up nothing is left`() = runTest {
        val source = Fixtures.tiny.copyTo(folder.resolve("model.gguf"))
        ModelFile.at(Fixtures.model).use { file ->
            file.prepare(folder.resolve("given-up.gguf")).first { it.done > it.total / 2 }
        }
        assertEquals(listOf("model.gguf"), folder.list()?.toList())

        ModelFile.at(source).use { file ->
            val last = file.prepare(lexicons = listOf(Fixtures.lexicon)).toList().last()
            assertEquals(last.total, last.done)
        }
        val prepared = folder.resolve("model.nibble.gguf")
        ModelFile.at(prepared).use { failure<NibbleException.Unsupported> { it.prepare().collect() } }
        check(source.delete())
        Model.open(source).use { model ->
            assertEquals(listOf("en"), model.lexicons().map { it.use(Lexicon::language) })
        }
        Model.open(Fixtures.tiny).use { assertEquals(0, it.lexicons().size) }
    }

    @Test
    fun `every closed object says so, however often it is closed`() = runTest {
        val model = Model.open(Fixtures.tiny)
        val session = model.newSession()
        val lexicon = Lexicon.open(Fixtures.lexicon)
        val emoji = EmojiTable.fromText("tea\t🍵")
        val layout = Layout.builtin("qwertz")
        val user = UserModel.inMemory()
        val engine = TypingEngine(model, listOf(lexicon), user, TypingEngineOptions(layout = layout, emoji = emoji))
        val typing = TypingSession(engine)
        val controller = KeyboardController()
        val file = ModelFile.at(Fixtures.tiny)
        val logs = Logs(LogLevel.ERROR)
        val uses: List<Pair<Closeable, suspend () -> Unit>> = listOf(
            session to { session.tokenCount() },
            session to { session.generate("a").collect() },
            session to { session.fork() },
            model to { model.info() },
            model to { model.newSession() },
            model to { TypingEngine(model, emptyList()) },
            lexicon to { lexicon.language() },
            lexicon to { TypingEngine(null, listOf(lexicon)) },
            emoji to { emoji.of("tea") },
            layout to { layout.keys(LayoutPage.LETTERS) },
            controller to { controller.handle(Event.Idle, 1) },
            file to { file.inspect() },
            logs to { logs.drain() },
            engine to { engine.suggest(EditorContext("a")) },
            engine to { engine.awaitFresh(EditorContext("a")) },
            engine to { TypingSession(engine) },
            // It lives on in the typing session.
            typing to { typing.handle(Event.Idle, 1) },
            user to { user.words() },
        )
        for ((thing, use) in uses) {
            thing.close()
            failure<NibbleException.Closed> { use() }
        }
        uses.forEach { (thing, _) -> thing.close() }
    }

    @Test
    fun `every error of the library has its class`() {
        val native = dev.nibble.internal.NibbleException::class.java.declaredClasses
            .filter { dev.nibble.internal.NibbleException::class.java.isAssignableFrom(it) }.map { it.simpleName }
        val ours = NibbleException::class.java.declaredClasses
            .filter { NibbleException::class.java.isAssignableFrom(it) }.map { it.simpleName }
        assertEquals(native.sorted(), ours.sorted())
        val example = dev.nibble.internal.NibbleException.Truncated("truncated", "cut", "file", 3u, ULong.MAX_VALUE)
        val error = example.translated()
        assertIs<NibbleException.Truncated>(error)
        assertEquals(listOf<Any?>("cut", "file", 3L, Long.MAX_VALUE), listOf(error.message, error.file, error.needed, error.available))
    }

    /** So much memory no vector can have: the library panics over it, as over a mistake of its own. */
    @Test
    fun `a panic is an internal error and the process goes on`() {
        repeat(3) {
            val error = assertThrows<NibbleException.Internal> { nativeCall { RustBuffer.alloc(ULong.MAX_VALUE) } }
            assertEquals("internal", error.code)
            assertEquals("capacity overflow", error.message)
        }
        KeyboardController().use { assertTrue(it.epoch() >= 0) }
    }
}
