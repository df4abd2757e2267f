// How objects are given up. The generated code frees a forgotten object by a cleaner, that of Java where there is one
// (Android 13) and that of JNA elsewhere.
package dev.nibble

/**
 * Gives up at once what an object of the library holds, and leaves the object itself to its cleaner: it may be passed
 * to the library on another thread right now, which is not safe with one that was destroyed. Has no effect the second
 * time.
 */
internal inline fun giveUp(release: () -> Unit) {
    try {
        nativeCall(release)
    } catch (_: NibbleException.Closed) {
        // It was given up before.
    }
}

/** [giveUp], and destroys the object: for those that are never passed to the library. */
internal inline fun <T : AutoCloseable> destroy(native: T, release: T.() -> Unit) {
    native.use { giveUp { native.release() } }
}
