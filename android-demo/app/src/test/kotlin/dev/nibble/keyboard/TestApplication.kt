package dev.nibble.keyboard

import dev.nibble.EmojiTable
import dev.nibble.Lexicon
import dev.nibble.Model
import dev.nibble.android.ModelDirectory
import dev.nibble.keyboard.engine.EngineTransport
import kotlinx.coroutines.runBlocking
import java.io.IOException

/** The app as the tests run it: with the files of this machine, and the engine in a second Java virtual machine. */
class TestApplication : NibbleApplication() {
    /** Milliseconds that engines wait before they take a message. */
    var engineDelay = 0L

    /** The way to the engine that was asked for last. */
    lateinit var pipe: PipeTransport
        private set

    /** Whether the keyboard's engine is the app's service, in this process. */
    var usesService = false

    /** What lexicons fail with. */
    var lexiconFailure: IOException? = null

    override fun openLexicon(language: String): Lexicon {
        lexiconFailure?.let { throw it }
        return runBlocking { Lexicon.open(Installed.lexicon(language)) }
    }

    override fun openEmoji(language: String): EmojiTable = runBlocking { EmojiTable.open(Installed.emoji(language)) }

    override fun openModel(name: String?): Model = runBlocking {
        Model.open(name?.let { ModelDirectory(this@TestApplication).find(it) } ?: Installed.model)
    }

    override fun engineTransport(): EngineTransport =
        if (usesService) super.engineTransport() else PipeTransport(ModelDirectory(this).directory, engineDelay).also { pipe = it }

    override fun onTerminate() {
        if (::pipe.isInitialized) pipe.close()
        super.onTerminate()
    }
}
