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

    /** The message as bytes. */
    fun encode(): ByteArray = when (this) {
        is Ask -> bytes(if (showsGhost) ASK_WITH_GHOST else ASK, request.toJson())
        is Tell -> bytes(TELL, notice.toJson())
        Foresee -> bytes(FORESEE, "")
        is Teach -> bytes(TEACH, words)
    }

    companion object {
        private const val ASK: Byte = 1
        private const val ASK_WITH_GHOST: Byte = 2
        private const val TELL: Byte = 3
        private const val FORESEE: Byte = 4
        private const val TEACH: Byte = 5

        /** The message in [bytes]; null for one that this version does not know. */
        fun decode(bytes: ByteArray): ToEngine? {
            val text = text(bytes)
            return when (bytes.firstOrNull()) {
                ASK -> Ask(EngineRequest.fromJson(text), showsGhost = false)
                ASK_WITH_GHOST -> Ask(EngineRequest.fromJson(text), showsGhost = true)
                TELL -> Tell(EngineNotice.fromJson(text))
                FORESEE -> Foresee
                TEACH -> Teach(text)
                else -> null
            }
        }
    }
}

/** What the engine sends: the model's answer to the latest request. */
object FromEngine {
    private const val ANSWER: Byte = 1

    /** An answer as bytes. */
    fun encode(answer: Suggestions): ByteArray = bytes(ANSWER, answer.toJson())

    /** The answer in [bytes]; null for a message that this version does not know. */
    fun decode(bytes: ByteArray): Suggestions? =
        if (bytes.firstOrNull() == ANSWER) Suggestions.fromJson(text(bytes)) else null
}

private fun bytes(kind: Byte, text: String) = byteArrayOf(kind) + text.toByteArray()

private fun text(bytes: ByteArray) = String(bytes, 1, maxOf(0, bytes.size - 1), Charsets.UTF_8)
