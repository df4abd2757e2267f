package dev.nibble.android

import android.content.ComponentCallbacks2
import dev.nibble.TypingEngine

/** What to give back when the system asks for memory. Each includes what stands before it. */
public enum class MemoryRelease {
    /** Nothing. */
    NOTHING,

    /** What can be computed again: the text's caches. */
    CACHES,

    /**
     * The model: its sessions with their KV caches, its tables. Its weights are pages of a file, which the system takes
     * by itself.
     */
    MODEL,
}

/**
 * What to give back for a level of [ComponentCallbacks2.onTrimMemory]. From Android 14 on the system sends only
 * `TRIM_MEMORY_UI_HIDDEN` and `TRIM_MEMORY_BACKGROUND`.
 */
@Suppress("DEPRECATION") // Older versions send the other levels.
public fun memoryReleaseFor(level: Int): MemoryRelease = when {
    level >= ComponentCallbacks2.TRIM_MEMORY_BACKGROUND -> MemoryRelease.MODEL
    level >= ComponentCallbacks2.TRIM_MEMORY_UI_HIDDEN -> MemoryRelease.CACHES
    level >= ComponentCallbacks2.TRIM_MEMORY_RUNNING_CRITICAL -> MemoryRelease.MODEL
    level >= ComponentCallbacks2.TRIM_MEMORY_RUNNING_LOW -> MemoryRelease.CACHES
    else -> MemoryRelease.NOTHING
}

/**
 * Gives back what [ComponentCallbacks2.onTrimMemory] asks for; the engine goes on from its lexicons.
 *
 * @return what was given back: after [MemoryRelease.MODEL] close the model as well, and set one again with
 *   [TypingEngine.setModel] when the keyboard is next shown
 */
public fun TypingEngine.trimMemory(level: Int): MemoryRelease {
    val release = memoryReleaseFor(level)
    if (release >= MemoryRelease.CACHES) reset()
    if (release >= MemoryRelease.MODEL) setModel(null)
    return release
}
