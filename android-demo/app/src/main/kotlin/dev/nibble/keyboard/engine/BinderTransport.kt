package dev.nibble.keyboard.engine

import android.content.ComponentName
import android.content.Context
import android.content.Intent
import android.content.ServiceConnection
import android.os.Handler
import android.os.IBinder
import android.os.Looper
import android.os.Messenger
import android.os.RemoteException

/** To the engine in [EngineService], which the system starts again when it died. */
class BinderTransport(private val context: Context) : EngineTransport, ServiceConnection {
    private var listener: EngineTransport.Listener? = null
    private var engine: Messenger? = null
    private var parts = PartJoiner()
    private val answers = Messenger(
        Handler(Looper.getMainLooper()) { message ->
            parts.add(message)?.let { listener?.received(it) }
            true
        },
    )

    override fun open(listener: EngineTransport.Listener) {
        this.listener = listener
        bind()
    }

    private fun bind() = context.bindService(Intent(context, EngineService::class.java), this, Context.BIND_AUTO_CREATE)

    override fun send(message: ByteArray) {
        try {
            partsOf(message, answers).forEach { engine?.send(it) }
        } catch (_: RemoteException) {
            // It died; onServiceDisconnected is on its way.
        }
    }

    override fun onServiceConnected(name: ComponentName, binder: IBinder) {
        engine = Messenger(binder)
        parts = PartJoiner()
        listener?.connected()
    }

    override fun onServiceDisconnected(name: ComponentName) {
        engine = null
        listener?.lost()
    }

    /** This binding will not come back: an update of the app, for instance, ends it for good. */
    override fun onBindingDied(name: ComponentName) {
        if (listener == null) return
        context.unbindService(this)
        bind()
    }

    override fun close() {
        listener = null
        engine = null
        context.unbindService(this)
    }
}
