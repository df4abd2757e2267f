package dev.nibble.keyboard.engine

import dev.nibble.EngineNotice
import dev.nibble.EngineRequest
import dev.nibble.Suggestions

/** What the keyboard sends to its engine. Each message is one byte for its kind, and text in UTF-8. */
sealed interface ToEngine {
    /**
     * Suggestions are wanted. Only the latest request matters.
     *
     * @property showsGhost whether ghost text is on the screen, which the answer is to have again
     */
    data class Ask(val request: EngineRequest, val showsGhost: Boolean) : ToEngine

    /** The user did something. */
    data class Tell(val notice: EngineNotice) : ToEngine

    /** Nothing is typed for a moment: ghost text may follow what was asked about last. */
    data object Foresee : ToEngine

    /** What the user has taught so far, as a user model exports it. */
    data class Teach(val words: String) : ToEngine

    /** How the engine is to be. The first message, and again when the user changes it: what was taught is gone then. */
    data class Configure(val settings: EngineSettings) : ToEngine

    /** A report is wanted. */
    data object Measure : ToEngine

    /** The message as bytes. */
    fun encode(): ByteArray = when (this) {
        is Ask -> bytes(if (showsGhost) ASK_WITH_GHOST else ASK, request.toJson())
        is Tell -> bytes(TELL, notice.toJson())
        Foresee -> bytes(FORESEE, "")
        is Teach -> bytes(TEACH, words)
        is Configure -> bytes(CONFIGURE, settings.toJson())
        Measure -> bytes(MEASURE, "")
    }

    companion object {
        private const val ASK: Byte = 1
        private const val ASK_WITH_GHOST: Byte = 2
        private const val TELL: Byte = 3
        private const val FORESEE: Byte = 4
        private const val TEACH: Byte = 5
        private const val CONFIGURE: Byte = 6
        private const val MEASURE: Byte = 7

        /** The message in [bytes]; null for one that this version does not know. */
        fun decode(bytes: ByteArray): ToEngine? {
            val text = text(bytes)
            return when (bytes.firstOrNull()) {
                ASK -> Ask(EngineRequest.fromJson(text), showsGhost = false)
                ASK_WITH_GHOST -> Ask(EngineRequest.fromJson(text), showsGhost = true)
                TELL -> Tell(EngineNotice.fromJson(text))
                FORESEE -> Foresee
                TEACH -> Teach(text)
                CONFIGURE -> Configure(EngineSettings.fromJson(text))
                MEASURE -> Measure
                else -> null
            }
        }
    }
}

/** What the engine sends, in the same form. */
sealed interface FromEngine {
    /** The model's answer to the latest request. */
    data class Answer(val suggestions: Suggestions) : FromEngine

    /** What was measured. */
    data class Report(val report: EngineReport) : FromEngine

    /** The message as bytes. */
    fun encode(): ByteArray = when (this) {
        is Answer -> bytes(ANSWER, suggestions.toJson())
        is Report -> bytes(REPORT, report.toJson())
    }

    companion object {
        private const val ANSWER: Byte = 1
        private const val REPORT: Byte = 2

        /** The message in [bytes]; null for one that this version does not know. */
        fun decode(bytes: ByteArray): FromEngine? {
            val text = text(bytes)
            return when (bytes.firstOrNull()) {
                ANSWER -> Answer(Suggestions.fromJson(text))
                REPORT -> Report(EngineReport.fromJson(text))
                else -> null
            }
        }
    }
}

private fun bytes(kind: Byte, text: String) = byteArrayOf(kind) + text.toByteArray()

private fun text(bytes: ByteArray) = String(bytes, 1, maxOf(0, bytes.size - 1), Charsets.UTF_8)
