package dev.nibble.keyboard

import android.app.Application

/** The app. */
open class NibbleApplication : Application()
