package dev.nibble.keyboard.engine

import java.io.Closeable

/** Carries messages between the keyboard and an engine in another process, which may die and come again. */
interface EngineTransport : Closeable {
    /** Starts the engine, and again whenever it died. Its reports come on any thread, in order. */
    fun open(listener: Listener)

    /** Sends a message. Never waits; a message that cannot be sent is lost. */
    fun send(message: ByteArray)

    /** Who hears of the engine. */
    interface Listener {
        /** The engine is there. It knows nothing. */
        fun connected()

        /** The engine sent something. */
        fun received(message: ByteArray)

        /** The engine is gone. */
        fun lost()
    }
}
