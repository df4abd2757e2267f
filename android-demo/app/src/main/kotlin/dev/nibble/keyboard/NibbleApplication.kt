package dev.nibble.keyboard

import android.app.Application
import android.os.Handler
import android.os.Looper
import dev.nibble.EmojiTable
import dev.nibble.Layout
import dev.nibble.Lexicon
import dev.nibble.Model
import dev.nibble.TypingEngine
import dev.nibble.TypingEngineOptions
import dev.nibble.UserModel
import dev.nibble.android.ModelDirectory
import dev.nibble.android.openAsset
import dev.nibble.keyboard.engine.BinderTransport
import dev.nibble.keyboard.engine.EngineTransport
import kotlinx.coroutines.runBlocking
import java.io.FileNotFoundException
import java.util.concurrent.Executors

/** The app: where its files are, and the engine of this process, which keyboard and settings share. */
open class NibbleApplication : Application() {
    private val background = Executors.newSingleThreadExecutor()
    private val main = Handler(Looper.getMainLooper())

    /** The engine of this process, and the words that it learns. */
    class Local(val engine: TypingEngine, val words: UserModel)

    private var local: Local? = null

    val preferences by lazy { Preferences(this) }

    /** The lexicon of a language. */
    open fun openLexicon(language: String): Lexicon = runBlocking { Lexicon.openAsset(assets, "lexicons/$language.lex") }

    /** The emoji of a language. */
    open fun openEmoji(language: String): EmojiTable =
        EmojiTable.fromText(assets.open("lexicons/$language.emoji.tsv").use { it.readBytes().decodeToString() })

    /** The model that was chosen, or the one in the package; null where there is neither. */
    open fun openModel(): Model? = runBlocking {
        preferences.model?.let { ModelDirectory(this@NibbleApplication).find(it) }?.let { return@runBlocking Model.open(it) }
        try {
            Model.openAsset(assets, DEFAULT_MODEL)
        } catch (_: FileNotFoundException) {
            null
        }
    }

    /** The way to the engine that has the model. */
    open fun engineTransport(): EngineTransport = BinderTransport(this)

    /** An engine without a model, as the user has set it, which learns into [words]. */
    fun newEngine(words: UserModel): TypingEngine {
        val language = preferences.language
        val options = TypingEngineOptions(
            layout = Layout.builtin(preferences.layout),
            thresholds = preferences.correction.thresholds,
            emoji = openEmoji(language),
        )
        return TypingEngine(null, listOf(openLexicon(language)), words, options)
    }

    /** Opens the engine of this process in the background, unless it is there, and hands it to the main thread. */
    fun withLocal(use: (Local) -> Unit) {
        background.execute {
            val ready = local ?: runBlocking {
                val words = UserModel.open(noBackupFilesDir.resolve("words"))
                Local(newEngine(words), words)
            }.also { local = it }
            main.post { use(ready) }
        }
    }

    /** Makes the engine of this process anew: settings that it was made with have changed. */
    fun reload() {
        background.execute {
            local?.engine?.close()
            local = null
        }
        withLocal { onReload?.invoke() }
    }

    /** Told when [reload] is done. */
    var onReload: (() -> Unit)? = null

    companion object {
        /** Where the package has its model. */
        const val DEFAULT_MODEL = "models/default.gguf"
    }
}
