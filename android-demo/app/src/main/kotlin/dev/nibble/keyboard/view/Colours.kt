package dev.nibble.keyboard.view

import android.content.res.Configuration

/** Colours of the keyboard, as ARGB. */
class Colours(
    val background: Int,
    val key: Int,
    val functionKey: Int,
    val pressed: Int,
    val text: Int,
    val faint: Int,
    val accent: Int,
    val onAccent: Int,
    val popup: Int,
) {
    companion object {
        private val light = Colours(
            background = 0xFFE9ECEB.toInt(),
            key = 0xFFFFFFFF.toInt(),
            functionKey = 0xFFCFD6D4.toInt(),
            pressed = 0xFFBCC6C3.toInt(),
            text = 0xFF17201D.toInt(),
            faint = 0xFF65726E.toInt(),
            accent = 0xFF1F6F5C.toInt(),
            onAccent = 0xFFFFFFFF.toInt(),
            popup = 0xFFFFFFFF.toInt(),
        )
        private val dark = Colours(
            background = 0xFF151A18.toInt(),
            key = 0xFF2E3633.toInt(),
            functionKey = 0xFF222927.toInt(),
            pressed = 0xFF46514D.toInt(),
            text = 0xFFEEF3F1.toInt(),
            faint = 0xFF9AA8A3.toInt(),
            accent = 0xFF6FD3B8.toInt(),
            onAccent = 0xFF0B1F19.toInt(),
            popup = 0xFF3A4440.toInt(),
        )

        /** The colours for a configuration: light, or dark at night. */
        fun of(configuration: Configuration): Colours {
            val night = configuration.uiMode and Configuration.UI_MODE_NIGHT_MASK
            return if (night == Configuration.UI_MODE_NIGHT_YES) dark else light
        }
    }
}
