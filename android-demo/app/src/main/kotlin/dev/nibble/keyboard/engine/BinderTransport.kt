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
    private val answers = Messenger(
        Handler(Looper.getMainLooper()) { message ->
            EngineService.bytesOf(message)?.let { listener?.received(it) }
            true
        },
    )

    override fun open(listener: EngineTransport.Listener) {
        this.listener = listener
        context.bindService(Intent(context, EngineService::class.java), this, Context.BIND_AUTO_CREATE)
    }

    override fun send(message: ByteArray) {
        try {
            engine?.send(EngineService.messageOf(message, answers))
        } catch (_: RemoteException) {
            // It died; onServiceDisconnected is on its way.
        }
    }

    override fun onServiceConnected(name: ComponentName, binder: IBinder) {
        engine = Messenger(binder)
        listener?.connected()
    }

    override fun onServiceDisconnected(name: ComponentName) {
        engine = null
        listener?.lost()
    }

    override fun close() {
        listener = null
        engine = null
        context.unbindService(this)
    }
}
