package dev.nibble.keyboard.engine

import dev.nibble.EngineNotice
import dev.nibble.EngineRequest
import dev.nibble.FieldKind
import dev.nibble.Model
import dev.nibble.NibbleException
import dev.nibble.Suggestions
import dev.nibble.TypingEngine
import dev.nibble.UserModel
import kotlinx.coroutines.runBlocking
import java.io.Closeable
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit

/**
 * The engine's side of an [EngineTransport]: one thread that has the model. It answers when the model was heard;
 * until then the keyboard's own suggestions stand. Nothing that it hears is stored or logged.
 *
 * @param openEngine makes the engine, without a model, over this user model
 * @param openModel opens the model; null where there is none
 * @param mayCompute whether the device is cool enough, asked at every request
 * @param reply sends a message to the keyboard
 * @param idleMilliseconds after this time without a message the model is given back
 */
class EngineHost(
    private val openEngine: (UserModel) -> TypingEngine,
    private val openModel: () -> Model?,
    private val mayCompute: () -> Boolean,
    private val reply: (ByteArray) -> Unit,
    private val idleMilliseconds: Long = 5 * 60_000,
) : Closeable {
    private val inbox = LinkedBlockingQueue<() -> Unit>()
    private val words = UserModel.inMemory()
    private val engine by lazy { openEngine(words) }
    private var model: Model? = null
    private var isRunning = true

    private var request: EngineRequest? = null
    private var answer: Suggestions? = null
    private var showsGhost = false
    private var foresees = 0
    private val thread = Thread(::run, "nibble-engine").apply { start() }

    /** Takes a message, on any thread. */
    fun receive(message: ByteArray) {
        inbox.put { ToEngine.decode(message)?.let(::handle) }
    }

    /** Gives the model's memory back; the next request opens it again. */
    fun release() {
        inbox.put(::releaseModel)
    }

    /** Ends the thread, and waits for it. */
    override fun close() {
        inbox.put { isRunning = false }
        thread.join()
    }

    private fun run() {
        while (isRunning) {
            val waits = awaitsModel() || foresees > 0
            val work = inbox.poll(if (waits) POLL_MILLISECONDS else idleMilliseconds, TimeUnit.MILLISECONDS)
            try {
                when {
                    work != null -> work()
                    waits -> lookAgain()
                    else -> releaseModel()
                }
            } catch (_: NibbleException) {
                // The keyboard has suggestions of its own; the next request tries again.
            }
        }
        releaseModel()
        engine.close()
    }

    private fun handle(message: ToEngine) {
        when (message) {
            is ToEngine.Ask -> {
                if (mayCompute()) prepareModel() else releaseModel()
                foresees = 0
                request = message.request
                showsGhost = message.showsGhost
                answer = null
                // Requests that are already out of date are not worth an answer.
                if (inbox.isEmpty()) say(engine.answer(message.request))
            }
            is ToEngine.Tell -> tell(message.notice)
            ToEngine.Foresee -> if (!showsGhost) foresees = FORESEE_POLLS
            is ToEngine.Teach -> runBlocking {
                words.erase()
                words.importText(message.words)
            }
        }
    }

    private fun tell(notice: EngineNotice) {
        if (notice is EngineNotice.Blur || notice is EngineNotice.Focus) {
            request = null
            answer = null
            foresees = 0
        }
        engine.notify(notice)
        if (notice is EngineNotice.Focus && notice.field != FieldKind.PASSWORD && mayCompute()) prepareModel()
    }

    private fun awaitsModel() = request != null && answer == null && model != null

    /** The model may have been heard meanwhile. */
    private fun lookAgain() {
        val asked = request ?: return
        val known = answer
        if (known == null) {
            say(engine.answer(asked))
            return
        }
        foresees--
        val phrase = engine.ghost(asked.context) ?: return
        foresees = 0
        showsGhost = true
        reply(FromEngine.encode(known.copy(items = known.items + phrase)))
    }

    private fun say(suggestions: Suggestions) {
        if (!suggestions.fresh) return
        val asked = request ?: return
        // Ghost text on the screen is looked for again: an answer without it ends it.
        val phrase = if (showsGhost) engine.ghost(asked.context) else null
        answer = suggestions
        reply(FromEngine.encode(suggestions.copy(items = suggestions.items + listOfNotNull(phrase))))
    }

    private fun prepareModel() {
        if (model != null) return
        model = openModel()?.also(engine::setModel)
    }

    private fun releaseModel() {
        val held = model ?: return
        model = null
        engine.setModel(null)
        engine.reset()
        held.close()
    }

    private companion object {
        const val POLL_MILLISECONDS = 2L

        /** Ghost text takes some passes; after three seconds it is not wanted any more. */
        const val FORESEE_POLLS = 1500
    }
}
