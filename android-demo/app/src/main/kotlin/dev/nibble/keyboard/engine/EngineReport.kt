package dev.nibble.keyboard.engine

import org.json.JSONObject

/**
 * What the engine's process takes and has done. No text.
 *
 * @property anonymousBytes memory of its own that is resident
 * @property mappedBytes resident pages of files, which the system takes back by itself
 * @property model name of the model that is open; null where none is
 * @property passes forward calls of the model since the engine was made
 * @property passP50Milliseconds median of a pass; null before the first
 * @property passP95Milliseconds 95th percentile of a pass
 */
data class EngineReport(
    val anonymousBytes: Long,
    val mappedBytes: Long,
    val model: String?,
    val passes: Long,
    val passP50Milliseconds: Double?,
    val passP95Milliseconds: Double?,
) {
    /** As JSON, to be sent. */
    fun toJson(): String = JSONObject()
        .put("anonymous_bytes", anonymousBytes).put("mapped_bytes", mappedBytes)
        .put("passes", passes).putOpt("model", model)
        .putOpt("pass_p50", passP50Milliseconds).putOpt("pass_p95", passP95Milliseconds).toString()

    companion object {
        /**
         * The report that [toJson] wrote.
         *
         * @throws org.json.JSONException where it did not
         */
        fun fromJson(json: String): EngineReport = JSONObject(json).let { report ->
            EngineReport(
                report.getLong("anonymous_bytes"),
                report.getLong("mapped_bytes"),
                if (report.has("model")) report.getString("model") else null,
                report.getLong("passes"),
                if (report.has("pass_p50")) report.getDouble("pass_p50") else null,
                if (report.has("pass_p95")) report.getDouble("pass_p95") else null,
            )
        }
    }
}

/**
 * Bytes in a line of `/proc/PID/status`, see proc_pid_status(5); 0 where it is not there.
 *
 * @param status the file's text
 * @param name of the line, such as `RssAnon`
 */
fun statusBytes(status: String, name: String): Long {
    val line = status.lineSequence().firstOrNull { it.startsWith("$name:") } ?: return 0
    val kilobytes = line.substringAfter(':').trim().substringBefore(' ').toLongOrNull() ?: return 0
    return kilobytes * 1024
}
