package dev.nibble.keyboard.engine

import dev.nibble.keyboard.CorrectionStrength
import org.json.JSONObject

/**
 * What an engine is made with. It is sent to the engine's process, which does not see the settings of this one change.
 *
 * @property language language of the text and its lexicon
 * @property layout name of the layout of the keys
 * @property correction how readily mistyped words are replaced
 * @property model name of the model's file; null for the one in the package
 */
data class EngineSettings(
    val language: String,
    val layout: String,
    val correction: CorrectionStrength,
    val model: String?,
) {
    /** Whether an engine that was made with [other] does as well: a model can be changed in it. */
    fun sharesEngineWith(other: EngineSettings) = copy(model = other.model) == other

    /** As JSON, to be sent. */
    fun toJson(): String = JSONObject()
        .put("language", language).put("layout", layout).put("correction", correction.name)
        .putOpt("model", model).toString()

    companion object {
        /**
         * The settings that [toJson] wrote.
         *
         * @throws org.json.JSONException where it did not
         */
        fun fromJson(json: String): EngineSettings = JSONObject(json).let { settings ->
            EngineSettings(
                settings.getString("language"),
                settings.getString("layout"),
                CorrectionStrength.valueOf(settings.getString("correction")),
                if (settings.has("model")) settings.getString("model") else null,
            )
        }
    }
}
