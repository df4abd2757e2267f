package dev.nibble.keyboard.engine

import dev.nibble.EngineNotice
import dev.nibble.EngineRequest
import dev.nibble.FieldKind
import dev.nibble.Model
import dev.nibble.NibbleException
import dev.nibble.Suggestions
import dev.nibble.TypingEngine
import dev.nibble.UserModel
import dev.nibble.android.ComputeLevel
import dev.nibble.android.MemoryRelease
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancel
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import java.io.Closeable
import java.io.File
import java.io.IOException
import java.util.concurrent.LinkedBlockingQueue
import kotlin.time.Duration.Companion.seconds

/**
 * The engine's side of an [EngineTransport]: one thread that has the model. It answers when the model was heard;
 * until then the keyboard's own suggestions stand. Nothing that it hears is stored or logged.
 *
 * @param openEngine makes an engine, without a model, over this user model
 * @param openModel opens the model of this name, or the one in the package for null; null where there is none
 * @param level how much may be computed, asked on this host's thread at every request
 * @param reply sends a message to the keyboard
 */
class EngineHost(
    private val openEngine: (UserModel, EngineSettings) -> TypingEngine,
    private val openModel: (name: String?) -> Model?,
    private val level: () -> ComputeLevel,
    private val reply: (ByteArray) -> Unit,
) : Closeable {
    private val inbox = LinkedBlockingQueue<() -> Unit>()
    private val waiting = CoroutineScope(Dispatchers.Default)
    private var settings: EngineSettings? = null
    private var words = UserModel.inMemory()
    private var engine: TypingEngine? = null
    private var model: Model? = null
    private var isRunning = true

    private var request: EngineRequest? = null
    private var answer: Suggestions? = null
    private var showsGhost = false
    private var wantsGhost = false

    /** Whether the inbox will hear when the model has nothing more to do. */
    private var isWaiting = false
    private var waitsLeft = 0
    private val thread = Thread(::run, "nibble-engine").apply { start() }

    /** Takes a message, on any thread. */
    fun receive(message: ByteArray) {
        inbox.put { ToEngine.decode(message)?.let(::handle) }
    }

    /** Gives memory back; after [MemoryRelease.MODEL] the next request opens the model again. */
    fun release(what: MemoryRelease) {
        inbox.put {
            when (what) {
                MemoryRelease.NOTHING -> {}
                MemoryRelease.CACHES -> engine?.reset()
                MemoryRelease.MODEL -> releaseModel()
            }
        }
    }

    /** Ends the thread, and waits for it. */
    override fun close() {
        inbox.put { isRunning = false }
        thread.join()
        waiting.cancel()
    }

    private fun run() {
        while (isRunning) {
            val work = inbox.take()
            try {
                work()
                // Requests that are already out of date are not worth an answer.
                if (inbox.isEmpty()) answer()
            } catch (_: NibbleException) {
                // The keyboard has suggestions of its own; the next request tries again.
            } catch (_: IOException) {
                // A file of the package is missing: the same.
            }
        }
        releaseModel()
        engine?.close()
    }

    private fun handle(message: ToEngine) {
        when (message) {
            is ToEngine.Configure -> configure(message.settings)
            is ToEngine.Ask -> ask(message)
            is ToEngine.Tell -> tell(message.notice)
            ToEngine.Foresee -> if (!showsGhost && level() == ComputeLevel.FULL) {
                wantsGhost = true
                waitsLeft = MOST_WAITS
            }
            is ToEngine.Teach -> runBlocking {
                words.erase()
                words.importText(message.words)
            }
            ToEngine.Measure -> reply(FromEngine.Report(report()).encode())
        }
    }

    private fun configure(wanted: EngineSettings) {
        val before = settings
        settings = wanted
        forgetRequest()
        if (before?.model != wanted.model) releaseModel()
        // Without an engine the last attempt to open one failed.
        if (engine != null && before?.sharesEngineWith(wanted) == true) return
        // The words end with their engine.
        engine?.close()
        engine = null
        words = UserModel.inMemory()
        engine = openEngine(words, wanted).also { made -> model?.let(made::setModel) }
    }

    private fun ask(message: ToEngine.Ask) {
        if (level() == ComputeLevel.LEXICONS_ONLY) releaseModel() else prepareModel()
        request = message.request
        showsGhost = message.showsGhost
        wantsGhost = false
        answer = null
        waitsLeft = MOST_WAITS
    }

    private fun tell(notice: EngineNotice) {
        if (notice is EngineNotice.Blur || notice is EngineNotice.Focus) forgetRequest()
        engine?.notify(notice)
        val isOpen = notice is EngineNotice.Focus && notice.field != FieldKind.PASSWORD
        if (isOpen && level() != ComputeLevel.LEXICONS_ONLY) prepareModel()
    }

    private fun forgetRequest() {
        request = null
        answer = null
        wantsGhost = false
    }

    /** Says what is new on the request, and waits for the model where there will be more. */
    private fun answer() {
        val (engine, asked) = (engine ?: return) to (request ?: return)
        if (model == null) return
        if (answer == null) say(engine, asked)
        val known = answer
        if (known != null && wantsGhost) {
            engine.ghost(asked.context)?.let { phrase ->
                wantsGhost = false
                showsGhost = true
                reply(FromEngine.Answer(known.copy(items = known.items + phrase)).encode())
            }
        }
        if (answer == null || wantsGhost) awaitModel(engine)
    }

    private fun say(engine: TypingEngine, asked: EngineRequest) {
        val suggestions = engine.answer(asked)
        if (!suggestions.fresh) return
        // Ghost text on the screen is looked for again: an answer without it ends it.
        val phrase = if (showsGhost) engine.ghost(asked.context) else null
        answer = suggestions
        reply(FromEngine.Answer(suggestions.copy(items = suggestions.items + listOfNotNull(phrase))).encode())
    }

    private fun awaitModel(engine: TypingEngine) {
        if (isWaiting || waitsLeft == 0) return
        waitsLeft--
        isWaiting = true
        waiting.launch {
            try {
                engine.awaitIdle(LONGEST_WAIT)
            } catch (_: NibbleException) {
                // It was given up meanwhile.
            }
            inbox.put { isWaiting = false }
        }
    }

    private fun prepareModel() {
        val (engine, settings) = (engine ?: return) to (settings ?: return)
        if (model == null) model = openModel(settings.model)?.also(engine::setModel)
    }

    private fun releaseModel() {
        val held = model ?: return
        model = null
        engine?.setModel(null)
        engine?.reset()
        held.close()
    }

    private fun report(): EngineReport {
        val status = File("/proc/self/status").readText()
        val stats = engine?.stats()
        return EngineReport(
            anonymousBytes = statusBytes(status, "RssAnon"),
            mappedBytes = statusBytes(status, "RssFile"),
            model = model?.info()?.name,
            passes = stats?.passes ?: 0,
            passP50Milliseconds = stats?.passP50Milliseconds,
            passP95Milliseconds = stats?.passP95Milliseconds,
        )
    }

    private companion object {
        /** A request waits so often for the model to finish: once as a rule, more where newer work came between. */
        const val MOST_WAITS = 8
        val LONGEST_WAIT = 30.seconds
    }
}
