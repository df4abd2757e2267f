package dev.nibble.keyboard

import android.content.Context
import android.content.SharedPreferences
import dev.nibble.CorrectionThresholds
import dev.nibble.KeyboardSettings
import dev.nibble.keyboard.engine.EngineSettings

/** How readily mistyped words are replaced. */
enum class CorrectionStrength {
    OFF,

    /** Only where it is all but certain. */
    CAREFUL,
    NORMAL,
    ;

    /** How sure the engine must be. */
    val thresholds get() = if (this == CAREFUL) CorrectionThresholds(known = 5f, unknown = 2.5f, unknownShort = 2.5f) else CorrectionThresholds()
}

/**
 * What the user has set.
 *
 * @param onChange told on the main thread when one of them has changed
 */
class Preferences(context: Context, private val onChange: () -> Unit = {}) {
    private val stored = context.getSharedPreferences("settings", Context.MODE_PRIVATE)

    // It is forgotten where nobody holds it.
    private val listener = SharedPreferences.OnSharedPreferenceChangeListener { _, _ -> onChange() }

    init {
        stored.registerOnSharedPreferenceChangeListener(listener)
    }

    /** Language of the text and its lexicon. */
    var language: String
        get() = stored.getString("language", "en") ?: "en"
        set(value) = stored.edit().putString("language", value).apply()

    /** Name of the layout of the keys. */
    var layout: String
        get() = stored.getString("layout", "qwerty") ?: "qwerty"
        set(value) = stored.edit().putString("layout", value).apply()
    var correction: CorrectionStrength
        get() = CorrectionStrength.entries.getOrElse(stored.getInt("correction", CorrectionStrength.NORMAL.ordinal)) { CorrectionStrength.NORMAL }
        set(value) = stored.edit().putInt("correction", value.ordinal).apply()

    /** Whether sentences begin with a capital by themselves. */
    var autoCapitals: Boolean
        get() = stored.getBoolean("auto_capitals", true)
        set(value) = stored.edit().putBoolean("auto_capitals", value).apply()

    /** Whether keys are felt. */
    var haptics: Boolean
        get() = stored.getBoolean("haptics", true)
        set(value) = stored.edit().putBoolean("haptics", value).apply()

    /** Name of the model's file; null for the one in the package. */
    var model: String?
        get() = stored.getString("model", null)
        set(value) = stored.edit().putString("model", value).apply()

    /** What a controller is told. */
    val keyboardSettings
        get() = KeyboardSettings(
            language = language,
            autocorrect = correction != CorrectionStrength.OFF,
            autoCapitals = autoCapitals,
        )

    /** What engines are made with. */
    val engineSettings get() = EngineSettings(language, layout, correction, model)
}
