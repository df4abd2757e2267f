package dev.nibble.keyboard

import dev.nibble.EmojiTable
import dev.nibble.Lexicon
import dev.nibble.keyboard.engine.EngineTransport
import kotlinx.coroutines.runBlocking

/** The app as the tests run it: with the files of this machine, and the engine in a second Java virtual machine. */
class TestApplication : NibbleApplication() {
    /** Milliseconds that engines wait before they take a message. */
    var engineDelay = 0L

    /** The way to the engine that was asked for last. */
    lateinit var pipe: PipeTransport
        private set

    override fun openLexicon(language: String): Lexicon = runBlocking { Lexicon.open(Installed.lexicon) }

    override fun openEmoji(language: String): EmojiTable = runBlocking { EmojiTable.open(Installed.emoji) }

    override fun engineTransport(): EngineTransport = PipeTransport(engineDelay).also { pipe = it }

    override fun onTerminate() {
        if (::pipe.isInitialized) pipe.close()
        super.onTerminate()
    }
}
