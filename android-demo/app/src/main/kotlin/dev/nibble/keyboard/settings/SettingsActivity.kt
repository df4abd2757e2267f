package dev.nibble.keyboard.settings

import android.app.Activity
import android.content.Intent
import android.os.Bundle
import android.provider.Settings
import android.view.inputmethod.InputMethodManager
import android.widget.EditText
import dev.nibble.keyboard.CorrectionStrength
import dev.nibble.keyboard.NibbleApplication
import dev.nibble.keyboard.R
import java.util.Locale

/** The app's settings: set-up, typing, and the ways to the model, the learned words and the statistics. */
class SettingsActivity : Activity() {
    private val app get() = application as NibbleApplication

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        show()
    }

    override fun onWindowFocusChanged(hasFocus: Boolean) {
        super.onWindowFocusChanged(hasFocus)
        // The system's own pages may have changed what is set up.
        if (hasFocus && currentFocus == null) show()
    }

    private fun show() {
        val rows = Rows(this)
        val manager = getSystemService(InputMethodManager::class.java)
        val isEnabled = manager.enabledInputMethodList.any { it.packageName == packageName }
        val chosen = Settings.Secure.getString(contentResolver, Settings.Secure.DEFAULT_INPUT_METHOD).orEmpty()
        rows.title(R.string.setup_title)
        rows.button(step(R.string.setup_enable, isEnabled)) { startActivity(Intent(Settings.ACTION_INPUT_METHOD_SETTINGS)) }
        rows.button(step(R.string.setup_choose, chosen.startsWith("$packageName/"))) { manager.showInputMethodPicker() }
        rows.add(EditText(this).apply { setHint(R.string.setup_try) })

        val settings = app.preferences
        rows.title(R.string.typing_title)
        val languages = LANGUAGES.map { Locale.forLanguageTag(it).run { getDisplayLanguage(this) } }
        rows.choice(R.string.language, languages, LANGUAGES.indexOf(settings.language)) { settings.language = LANGUAGES[it] }
        val layouts = LAYOUTS.map { it.uppercase() }
        rows.choice(R.string.layout, layouts, LAYOUTS.indexOf(settings.layout)) { settings.layout = LAYOUTS[it] }
        val strengths = listOf(R.string.correction_off, R.string.correction_careful, R.string.correction_normal)
        rows.choice(R.string.correction, strengths.map(::getString), settings.correction.ordinal) {
            settings.correction = CorrectionStrength.entries[it]
        }
        rows.check(R.string.auto_capitals, settings.autoCapitals) { settings.autoCapitals = it }
        rows.check(R.string.haptics, settings.haptics) { settings.haptics = it }

        rows.button(getText(R.string.model_title)) { startActivity(Intent(this, ModelActivity::class.java)) }
        rows.button(getText(R.string.words_title)) { startActivity(Intent(this, WordsActivity::class.java)) }
        rows.button(getText(R.string.statistics_title)) { startActivity(Intent(this, StatisticsActivity::class.java)) }

        rows.title(R.string.privacy_title)
        rows.text(getText(R.string.privacy))
        rows.title(R.string.licences_title)
        rows.text(getText(R.string.licences))
        setContentView(rows.view)
    }

    private fun step(text: Int, isDone: Boolean) = getString(text) + if (isDone) " – " + getString(R.string.setup_done) else ""

    private companion object {
        val LANGUAGES = listOf("en", "de", "fr")
        val LAYOUTS = listOf("qwerty", "qwertz", "azerty")
    }
}
