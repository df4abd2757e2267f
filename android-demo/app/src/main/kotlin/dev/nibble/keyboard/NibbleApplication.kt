package dev.nibble.keyboard

import android.app.Application
import android.os.Handler
import android.os.Looper
import dev.nibble.EmojiTable
import dev.nibble.Layout
import dev.nibble.Lexicon
import dev.nibble.Model
import dev.nibble.NibbleException
import dev.nibble.TypingEngine
import dev.nibble.TypingEngineOptions
import dev.nibble.UserModel
import dev.nibble.android.ModelDirectory
import dev.nibble.android.openAsset
import dev.nibble.keyboard.engine.BinderTransport
import dev.nibble.keyboard.engine.EngineSettings
import dev.nibble.keyboard.engine.EngineTransport
import dev.nibble.keyboard.settings.ModelImport
import kotlinx.coroutines.runBlocking
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import java.util.concurrent.Executors

/** A keyboard that runs, told on the main thread of what others change or want. */
interface RunningKeyboard {
    /** The user's settings changed. */
    fun settingsChanged()

    /** The user's words were changed elsewhere than by typing. */
    fun wordsChanged()

    /** The statistics want a report of the engine's process. */
    fun measureEngine()
}

/** The app: where its files are, and the engine of this process, which keyboard and settings share. */
open class NibbleApplication : Application() {
    private val background = Executors.newSingleThreadExecutor()
    private val main = Handler(Looper.getMainLooper())

    /**
     * The engine of this process, the words that it learns, and what it was made with.
     *
     * @property failure why these are not the words of the user's file, and are kept no longer than this process
     */
    class Local(
        val engine: TypingEngine,
        val words: UserModel,
        val settings: EngineSettings,
        val failure: NibbleException?,
    )

    /** Of the background alone. */
    private var local: Local? = null

    /** The keyboard, while it runs. */
    var keyboard: RunningKeyboard? = null

    val preferences by lazy { Preferences(this) { keyboard?.settingsChanged() } }
    val statistics by lazy { TypingStatistics(this) }
    val modelImport by lazy {
        ModelImport(this) { name ->
            // Two changes: an engine that has another file of this name open gives it up.
            preferences.model = null
            preferences.model = name
            val models = ModelDirectory(this)
            models.list().filter { it.name != name }.forEach { models.remove(it.name) }
        }
    }

    /** The lexicon of a language. */
    open fun openLexicon(language: String): Lexicon = runBlocking { Lexicon.openAsset(assets, "lexicons/$language.lex") }

    /** The emoji of a language. */
    open fun openEmoji(language: String): EmojiTable =
        EmojiTable.fromText(assets.open("lexicons/$language.emoji.tsv").use { it.readBytes().decodeToString() })

    /** The model of this name, or the one in the package for null; null where there is neither. */
    open fun openModel(name: String?): Model? = runBlocking {
        name?.let { ModelDirectory(this@NibbleApplication).find(it) }?.let { return@runBlocking Model.open(it) }
        try {
            Model.openAsset(assets, DEFAULT_MODEL)
        } catch (_: FileNotFoundException) {
            null
        }
    }

    /** The way to the engine that has the model. */
    open fun engineTransport(): EngineTransport = BinderTransport(this)

    /** An engine without a model, as the user has set it, which learns into [words]. */
    fun newEngine(words: UserModel, settings: EngineSettings): TypingEngine {
        val options = TypingEngineOptions(
            layout = Layout.builtin(settings.layout),
            thresholds = settings.correction.thresholds,
            emoji = openEmoji(settings.language),
        )
        return TypingEngine(null, listOf(openLexicon(settings.language)), words, options)
    }

    /**
     * Opens the engine of this process in the background, unless it is there and as the user has set it, and hands it
     * to the main thread. Where it cannot be had nothing follows: keys work without one.
     */
    fun withLocal(use: (Local) -> Unit) {
        background.execute {
            val ready = try {
                openLocal()
            } catch (_: NibbleException) {
                return@execute
            } catch (_: IOException) {
                return@execute
            }
            main.post { use(ready) }
        }
    }

    private fun openLocal(): Local {
        val wanted = preferences.engineSettings
        local?.let { if (it.settings.sharesEngineWith(wanted)) return it }
        // The words end with their engine.
        local?.engine?.close()
        local = null
        val (words, failure) = openWords()
        val engine = try {
            newEngine(words, wanted)
        } catch (error: Exception) {
            // Or the file would stay in use, and could not be opened again.
            words.close()
            throw error
        }
        return Local(engine, words, wanted, failure).also { local = it }
    }

    /** The user's words; where their file cannot be had, others that are not kept, and why. */
    private fun openWords(): Pair<UserModel, NibbleException?> {
        val file = noBackupFilesDir.resolve("words")
        var tries = 1
        while (true) {
            try {
                return runBlocking { UserModel.open(file) } to null
            } catch (error: NibbleException) {
                when {
                    tries++ == MOST_TRIES -> return UserModel.inMemory() to error
                    error is NibbleException.WrongFormat && file.renameTo(unreadableWords) -> {}
                    // A process of this app that has it may be about to end.
                    error is NibbleException.InUse -> Thread.sleep(RETRY_MS)
                    else -> return UserModel.inMemory() to error
                }
            }
        }
    }

    /** What was found in place of the user's words and is none; it is kept for whoever can mend it. */
    val unreadableWords: File get() = noBackupFilesDir.resolve("words.unreadable")

    /**
     * Changes the learned words in the background. A keyboard that runs, and its engines, hear of it at once.
     *
     * @param done called on the main thread, with what went wrong
     */
    fun changeWords(change: suspend (UserModel) -> Unit, done: (failure: Exception?) -> Unit) =
        withWords(change) { failure ->
            keyboard?.wordsChanged()
            done(failure)
        }

    /**
     * Does something with the learned words in the background.
     *
     * @param done called on the main thread, with what went wrong
     */
    fun withWords(work: suspend (UserModel) -> Unit, done: (failure: Exception?) -> Unit) {
        background.execute {
            val failure = try {
                val opened = openLocal()
                if (opened.failure == null) runBlocking { work(opened.words) }
                opened.failure
            } catch (error: NibbleException) {
                error
            } catch (error: IOException) {
                error
            } catch (error: RuntimeException) {
                // The work may ask another app for a file, and that app decides what is thrown.
                error
            }
            main.post { done(failure) }
        }
    }

    companion object {
        /** Where the package has its model. */
        const val DEFAULT_MODEL = "models/default.gguf"
        private const val MOST_TRIES = 10
        private const val RETRY_MS = 100L
    }
}
