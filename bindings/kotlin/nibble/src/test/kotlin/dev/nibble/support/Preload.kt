package dev.nibble.support

import org.junit.platform.launcher.LauncherSession
import org.junit.platform.launcher.LauncherSessionListener

/** Loads a library before any test: what a library for Android needs to run on another system. */
class Preload : LauncherSessionListener {
    override fun launcherSessionOpened(session: LauncherSession) {
        System.getProperty("nibble.preload")?.ifEmpty { null }?.let(System::load)
    }
}
