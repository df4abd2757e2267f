package dev.nibble.keyboard.engine

import android.app.Service
import android.content.Intent
import android.os.Build
import android.os.Handler
import android.os.IBinder
import android.os.Looper
import android.os.Messenger
import android.os.PowerManager
import android.os.RemoteException
import dev.nibble.android.ComputeBudget
import dev.nibble.android.ComputeLevel
import dev.nibble.android.MemoryRelease
import dev.nibble.android.memoryReleaseFor
import dev.nibble.keyboard.NibbleApplication

/**
 * The engine in a process of its own. It logs and keeps no text, and gives the model back after five minutes without a
 * message, when nobody is bound to it, when the system asks for memory and when the device gets hot.
 */
class EngineService : Service() {
    private var keyboard: Messenger? = null
    private lateinit var host: EngineHost
    private val main = Handler(Looper.getMainLooper())
    private val giveBack = Runnable { host.release(MemoryRelease.MODEL) }
    private val budget by lazy { ComputeBudget(this) }

    /** Whether the system has reported heat and not yet its end; other threads read it. */
    @Volatile
    private var isHot = false
    private var stopListening = {}

    private val parts = PartJoiner()
    private val incoming by lazy {
        Messenger(
            Handler(Looper.getMainLooper()) { message ->
                keyboard = message.replyTo ?: keyboard
                parts.add(message)?.let(host::receive)
                main.removeCallbacks(giveBack)
                main.postDelayed(giveBack, IDLE_MS)
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
            level = { if (isHot) ComputeLevel.LEXICONS_ONLY else budget.level() },
            reply = ::reply,
        )
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) listenForHeat()
    }

    /** Heat releases the model at once; the budget alone would only be asked at the next word. */
    private fun listenForHeat() {
        val power = getSystemService(PowerManager::class.java)
        val listener = PowerManager.OnThermalStatusChangedListener { status ->
            isHot = status >= PowerManager.THERMAL_STATUS_SEVERE
            if (isHot) host.release(MemoryRelease.MODEL)
        }
        power.addThermalStatusListener(listener)
        stopListening = { power.removeThermalStatusListener(listener) }
    }

    private fun reply(bytes: ByteArray) {
        try {
            partsOf(bytes, null).forEach { keyboard?.send(it) }
        } catch (_: RemoteException) {
            // The keyboard is gone, and asks again when it is back.
        }
    }

    override fun onBind(intent: Intent): IBinder = incoming.binder

    override fun onUnbind(intent: Intent): Boolean {
        host.release(MemoryRelease.MODEL)
        return super.onUnbind(intent)
    }

    override fun onTrimMemory(level: Int) {
        super.onTrimMemory(level)
        host.release(memoryReleaseFor(level))
    }

    override fun onDestroy() {
        stopListening()
        main.removeCallbacks(giveBack)
        host.close()
        super.onDestroy()
    }

    private companion object {
        const val IDLE_MS = 5 * 60_000L
    }
}
