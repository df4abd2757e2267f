// Robolectric asks for this class of androidx.test:monitor, which is not on Maven Central.
package androidx.test.internal.runner.intent

import android.content.Intent
import androidx.test.runner.intent.IntentMonitor

class IntentMonitorImpl : IntentMonitor {
    @Suppress("UNUSED_PARAMETER")
    fun signalIntent(intent: Intent) {
        // Nobody watches.
    }
}
