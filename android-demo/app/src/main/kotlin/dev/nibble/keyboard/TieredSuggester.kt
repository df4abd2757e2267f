package dev.nibble.keyboard

import dev.nibble.EngineNotice
import dev.nibble.EngineRequest
import dev.nibble.NibbleException
import dev.nibble.Suggestions
import dev.nibble.TypingEngine
import dev.nibble.keyboard.engine.EngineTransport
import dev.nibble.keyboard.engine.FromEngine
import dev.nibble.keyboard.engine.ToEngine
import java.io.Closeable

/**
 * Answers twice: at once from the lexicon and the user's words in this process, and once more when the model in the
 * other process was heard. Typing never waits for the second, which may be late, dead or absent.
 *
 * @param post runs something on the keyboard's thread
 * @param teach what the user has taught, as text
 * @param onAnswer takes an answer, on the keyboard's thread
 */
class TieredSuggester(
    private val transport: EngineTransport,
    private val post: (() -> Unit) -> Unit,
    private val teach: () -> String?,
    private val onAnswer: (Suggestions) -> Unit,
) : Suggester, EngineTransport.Listener, Closeable {
    private var isConnected = false
    private var request: EngineRequest? = null
    private var focus: EngineNotice.Focus? = null
    private var askedAt = 0L

    /** Whether ghost text is on the screen. */
    var showsGhost = false

    /** Whether the model was heard on the latest request. */
    var isFresh = false
        private set

    /** Milliseconds from a request to the model's answer, the latest ones. */
    val latencies = ArrayDeque<Double>()

    /** The engine of this process; null until it is there. */
    var local: TypingEngine? = null
        set(value) {
            field = value
            if (value == null) return
            focus?.let { tellLocal(it) }
            request?.let { answerHere(it) }
        }

    init {
        transport.open(this)
    }

    override fun ask(request: EngineRequest) {
        this.request = request
        isFresh = false
        askedAt = System.nanoTime()
        send(ToEngine.Ask(request, showsGhost))
        answerHere(request)
    }

    private fun answerHere(request: EngineRequest) {
        val answer = try {
            local?.answer(request)
        } catch (_: NibbleException) {
            // It was given up, because settings changed, and comes again.
            null
        }
        answer?.let(onAnswer)
    }

    override fun tell(notice: EngineNotice) {
        when (notice) {
            is EngineNotice.Focus -> focus = notice
            EngineNotice.Blur -> focus = null
            else -> {}
        }
        if (notice is EngineNotice.Focus || notice == EngineNotice.Blur) request = null
        tellLocal(notice)
        send(ToEngine.Tell(notice))
    }

    private fun tellLocal(notice: EngineNotice) {
        try {
            local?.notify(notice)
        } catch (_: NibbleException) {
            // Nothing is learned where the file fails; typing goes on.
        }
    }

    /** Nothing is typed for a moment: ghost text may be shown. */
    fun foresee() {
        if (request != null) send(ToEngine.Foresee)
    }

    private fun send(message: ToEngine) {
        if (isConnected) transport.send(message.encode())
    }

    /** The user's words were changed elsewhere than by typing. */
    fun wordsChanged() {
        val words = try {
            teach()
        } catch (_: NibbleException) {
            null
        }
        words?.let { send(ToEngine.Teach(it)) }
    }

    override fun connected() = post {
        isConnected = true
        wordsChanged()
        focus?.let { send(ToEngine.Tell(it)) }
        request?.let { send(ToEngine.Ask(it, showsGhost)) }
    }

    override fun lost() = post { isConnected = false }

    override fun received(message: ByteArray) = post {
        val answer = FromEngine.decode(message)
        val asked = request
        // An answer to an older question says nothing about this one.
        if (answer != null && asked != null && answer.epoch == asked.context.epoch) {
            if (!isFresh) latencies += (System.nanoTime() - askedAt) / 1e6
            isFresh = true
            if (latencies.size > REMEMBERED) latencies.removeFirst()
            onAnswer(answer)
        }
    }

    override fun close() {
        transport.close()
    }

    private companion object {
        const val REMEMBERED = 1000
    }
}
