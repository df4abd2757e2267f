package dev.nibble.keyboard

import dev.nibble.EmojiTable
import dev.nibble.Layout
import dev.nibble.Lexicon
import dev.nibble.Model
import dev.nibble.TypingEngine
import dev.nibble.TypingEngineOptions
import dev.nibble.android.ComputeLevel
import dev.nibble.keyboard.engine.EngineHost
import dev.nibble.keyboard.engine.EngineTransport
import kotlinx.coroutines.runBlocking
import java.io.DataInputStream
import java.io.DataOutputStream
import java.io.EOFException
import java.io.File
import java.io.IOException
import java.util.concurrent.LinkedBlockingQueue
import kotlin.concurrent.thread

/** Files of the default model and its language. Maven runs the tests in the module's folder. */
object Installed {
    private val data = File(System.getenv("XDG_DATA_HOME") ?: "${System.getProperty("user.home")}/.local/share", "nibble")
    val model = existing(data.resolve("models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf"))
    val lexicon = lexicon("en")

    fun lexicon(language: String) = existing(data.resolve("lexicons/$language.lex"))

    fun emoji(language: String) = existing(data.resolve("lexicons/$language.emoji.tsv"))

    private fun existing(file: File) = file.also { check(it.exists()) { "$it is missing: run scripts/test-android-demo" } }
}

/**
 * The engine in a second Java virtual machine, started anew whenever it died.
 *
 * @param models where installed models are
 * @param delay milliseconds that the engine waits before it takes a message
 */
class PipeTransport(private val models: File, private val delay: Long = 0) : EngineTransport {
    private val outbox = LinkedBlockingQueue<ByteArray>()
    private var isClosed = false

    /** The process that has the engine now. */
    @Volatile
    lateinit var process: Process
        private set

    /** Messages sent so far, by the byte that says their kind. */
    val sent = mutableListOf<Byte>()

    override fun open(listener: EngineTransport.Listener) {
        start()
        thread(isDaemon = true) {
            while (!isClosed) {
                listener.connected()
                val messages = DataInputStream(process.inputStream.buffered())
                try {
                    while (true) listener.received(ByteArray(messages.readInt()).also(messages::readFully))
                } catch (_: IOException) {
                    listener.lost()
                }
                if (!isClosed) start()
            }
        }
        thread(isDaemon = true) {
            while (!isClosed) {
                val message = outbox.take()
                try {
                    DataOutputStream(process.outputStream).run {
                        writeInt(message.size)
                        write(message)
                        flush()
                    }
                } catch (_: IOException) {
                    // It died.
                }
            }
        }
    }

    private fun start() {
        val java = "${System.getProperty("java.home")}/bin/java"
        val classes = System.getProperty("surefire.real.class.path") ?: System.getProperty("java.class.path")
        val library = "-Djna.library.path=${System.getProperty("jna.library.path")}"
        process = ProcessBuilder(java, "-Xmx256m", library, "-cp", classes, "dev.nibble.keyboard.PipeTransportKt", "$delay", models.path)
            .redirectError(ProcessBuilder.Redirect.INHERIT).start()
    }

    override fun send(message: ByteArray) {
        sent += message.first()
        outbox += message
    }

    override fun close() {
        isClosed = true
        process.destroy()
    }
}

/** The second process: an [EngineHost] between standard input and standard output. */
fun main(arguments: Array<String>) {
    val delay = arguments[0].toLong()
    val models = File(arguments[1])
    val input = DataInputStream(System.`in`.buffered())
    val output = DataOutputStream(System.out.buffered())
    val host = EngineHost(
        openEngine = { words, settings ->
            val (lexicon, emoji) = runBlocking {
                Lexicon.open(Installed.lexicon(settings.language)) to EmojiTable.open(Installed.emoji(settings.language))
            }
            val options = TypingEngineOptions(
                layout = Layout.builtin(settings.layout),
                thresholds = settings.correction.thresholds,
                emoji = emoji,
            )
            TypingEngine(null, listOf(lexicon), words, options)
        },
        openModel = { name -> runBlocking { Model.open(name?.let(models::resolve) ?: Installed.model) } },
        level = { ComputeLevel.FULL },
        reply = { message ->
            output.writeInt(message.size)
            output.write(message)
            output.flush()
        },
    )
    try {
        while (true) {
            val message = ByteArray(input.readInt()).also(input::readFully)
            Thread.sleep(delay)
            host.receive(message)
        }
    } catch (_: EOFException) {
        host.close()
    }
}
