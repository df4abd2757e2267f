// Where the library is called when the call can take long.
package dev.nibble

import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import java.io.Closeable

/**
 * Threads for calls that block. They come from the pool of `Dispatchers.IO` and are not counted among its own, so that
 * generations and an app's input and output never wait for each other.
 */
internal val nibbleDispatcher: CoroutineDispatcher = Dispatchers.IO.limitedParallelism(64, "nibble")

/** Opens something on a thread of its own; what was opened for a coroutine that is cancelled meanwhile is closed. */
internal suspend fun <T : Closeable> opening(open: () -> T): T {
    var opened: T? = null
    try {
        return withContext(nibbleDispatcher) { nativeCall(open).also { opened = it } }
    } catch (error: Throwable) {
        opened?.close()
        throw error
    }
}

