package dev.nibble.keyboard.engine

import android.app.Service
import android.content.Intent
import android.os.Bundle
import android.os.Handler
import android.os.IBinder
import android.os.Looper
import android.os.Message
import android.os.Messenger
import android.os.RemoteException
import dev.nibble.android.ComputeBudget
import dev.nibble.android.ComputeLevel
import dev.nibble.android.MemoryRelease
import dev.nibble.android.memoryReleaseFor
import dev.nibble.keyboard.NibbleApplication

/** The engine in a process of its own. It logs and keeps no text. */
class EngineService : Service() {
    private var keyboard: Messenger? = null
    private lateinit var host: EngineHost
    private val budget by lazy { ComputeBudget(this) }

    private val incoming by lazy {
        Messenger(
            Handler(Looper.getMainLooper()) { message ->
                keyboard = message.replyTo ?: keyboard
                message.data.getByteArray(BYTES)?.let(host::receive)
                true
            },
        )
    }

    override fun onCreate() {
        super.onCreate()
        val app = application as NibbleApplication
        host = EngineHost(
            openEngine = app::newEngine,
            openModel = app::openModel,
            mayCompute = { budget.level() != ComputeLevel.LEXICONS_ONLY },
            reply = ::reply,
        )
    }

    private fun reply(bytes: ByteArray) {
        try {
            keyboard?.send(messageOf(bytes, null))
        } catch (_: RemoteException) {
            // The keyboard is gone, and asks again when it is back.
        }
    }

    override fun onBind(intent: Intent): IBinder = incoming.binder

    override fun onUnbind(intent: Intent): Boolean {
        host.release()
        return super.onUnbind(intent)
    }

    override fun onTrimMemory(level: Int) {
        super.onTrimMemory(level)
        if (memoryReleaseFor(level) == MemoryRelease.MODEL) host.release()
    }

    override fun onDestroy() {
        host.close()
        super.onDestroy()
    }

    companion object {
        private const val BYTES = "bytes"

        /** A message of bytes, with who is to be answered. */
        fun messageOf(bytes: ByteArray, replyTo: Messenger?): Message = Message.obtain().also {
            it.data = Bundle().apply { putByteArray(BYTES, bytes) }
            it.replyTo = replyTo
        }

        /** The bytes of a message. */
        fun bytesOf(message: Message): ByteArray? = message.data.getByteArray(BYTES)
    }
}
