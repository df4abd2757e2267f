// Robolectric asks for these classes of androidx.test:monitor, which are not on Maven Central.
package androidx.test.platform.app

import android.app.Instrumentation
import android.os.Bundle

/** Where a test finds its instrumentation. */
object InstrumentationRegistry {
    private var registered: Pair<Instrumentation?, Bundle?> = null to null

    @JvmStatic
    fun getInstrumentation(): Instrumentation = checkNotNull(registered.first) { "no instrumentation is registered" }

    @JvmStatic
    fun getArguments(): Bundle = Bundle(checkNotNull(registered.second))

    @JvmStatic
    fun registerInstance(instrumentation: Instrumentation?, arguments: Bundle?) {
        registered = instrumentation to arguments?.let(::Bundle)
    }
}
