package dev.nibble.keyboard.settings

import android.app.Activity

/** The app's settings. */
class SettingsActivity : Activity()
