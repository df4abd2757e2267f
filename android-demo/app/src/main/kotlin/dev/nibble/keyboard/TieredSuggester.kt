package dev.nibble.keyboard

import dev.nibble.EngineNotice
import dev.nibble.EngineRequest
import dev.nibble.NibbleException
import dev.nibble.Suggestions
import dev.nibble.TypingEngine
import dev.nibble.keyboard.engine.EngineSettings
import dev.nibble.keyboard.engine.EngineTransport
import dev.nibble.keyboard.engine.FromEngine
import dev.nibble.keyboard.engine.ToEngine
import java.io.Closeable

/**
 * Answers twice: at once from the lexicon and the user's words in this process, and once more when the model in the
 * other process was heard. Typing never waits for the second, which may be late, dead or absent.
 *
 * @param settings what the engine is made with
 * @param post runs something on the keyboard's thread
 * @param teach what the user has taught, as text
 * @param statistics counts how long answers take
 * @param onAnswer takes an answer, on the keyboard's thread
 */
class TieredSuggester(
    private val transport: EngineTransport,
    settings: EngineSettings,
    private val post: (() -> Unit) -> Unit,
    private val teach: () -> String?,
    private val statistics: TypingStatistics,
    private val onAnswer: (Suggestions) -> Unit,
) : Suggester, EngineTransport.Listener, Closeable {
    private var isConnected = false
    private var request: EngineRequest? = null
    private var focus: EngineNotice.Focus? = null
    private var askedAt = 0L

    /** What the engine of the other process is made with. It hears of a change at once. */
    var settings = settings
        set(value) {
            if (field == value) return
            field = value
            isFresh = false
            introduce()
        }

    /** Whether ghost text is on the screen. */
    var showsGhost = false

    /** Whether the model was heard on the latest request. */
    var isFresh = false
        private set

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
        val begin = System.nanoTime()
        val answer = try {
            local?.answer(request)
        } catch (_: NibbleException) {
            // It was given up, because settings changed, and comes again.
            null
        } ?: return
        statistics.toDictionary.add(millisecondsSince(begin))
        onAnswer(answer)
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

    /** Asks the engine's process what it takes; the statistics hear of it. */
    fun measure() = send(ToEngine.Measure)

    private fun send(message: ToEngine) {
        if (isConnected) transport.send(message.encode())
    }

    /** The user's words were changed elsewhere than by typing: both engines answer anew. */
    fun wordsChanged() {
        sendWords()
        request?.let(::ask)
    }

    private fun sendWords() {
        val words = try {
            teach()
        } catch (_: NibbleException) {
            null
        }
        words?.let { send(ToEngine.Teach(it)) }
    }

    /** Tells an engine that knows nothing all that it has to know. */
    private fun introduce() {
        send(ToEngine.Configure(settings))
        sendWords()
        focus?.let { send(ToEngine.Tell(it)) }
        request?.let { send(ToEngine.Ask(it, showsGhost)) }
    }

    override fun connected() = post {
        isConnected = true
        introduce()
    }

    override fun lost() = post { isConnected = false }

    override fun received(message: ByteArray) = post {
        when (val heard = FromEngine.decode(message)) {
            is FromEngine.Answer -> answered(heard.suggestions)
            is FromEngine.Report -> statistics.engine = heard.report
            null -> {}
        }
    }

    private fun answered(answer: Suggestions) {
        // An answer to an older question says nothing about this one.
        if (answer.epoch != request?.context?.epoch) return
        if (!isFresh) statistics.toModel.add(millisecondsSince(askedAt))
        isFresh = true
        onAnswer(answer)
    }

    override fun close() {
        transport.close()
    }

    private fun millisecondsSince(begin: Long) = (System.nanoTime() - begin) / 1e6
}
