package dev.nibble

import dev.nibble.internal.EditorContext as NativeEditorContext
import dev.nibble.internal.FieldKind as NativeFieldKind
import dev.nibble.internal.Suggestion as NativeSuggestion
import dev.nibble.internal.SuggestionKind as NativeSuggestionKind
import dev.nibble.internal.Suggestions as NativeSuggestions
import dev.nibble.internal.suggestionsFromJson
import dev.nibble.internal.suggestionsToJson

/** The kind of a text field, as far as typing differs. */
public enum class FieldKind(internal val native: NativeFieldKind) {
    /** A chat or text message; also where nothing is known. */
    MESSAGE(NativeFieldKind.MESSAGE),

    /** The body or subject of an e-mail. */
    EMAIL(NativeFieldKind.EMAIL),

    /** Notes and documents. */
    NOTE(NativeFieldKind.NOTE),

    /** A search box. */
    SEARCH(NativeFieldKind.SEARCH),

    /** A web or e-mail address: its parts are no words. */
    URL(NativeFieldKind.URL),

    /** Digits. */
    NUMBER(NativeFieldKind.NUMBER),

    /** Secret: the engine is off, no context is kept and nothing is stored. */
    PASSWORD(NativeFieldKind.PASSWORD),

    /** Incognito: predictions as in a message, but nothing is stored. */
    NO_LEARNING(NativeFieldKind.NO_LEARNING),
    ;

    internal companion object {
        fun of(native: NativeFieldKind) = entries.first { it.native == native }
    }
}

/** What a suggestion is. */
public enum class SuggestionKind(internal val native: NativeSuggestionKind) {
    /** Completes the word that is being typed. */
    COMPLETION(NativeSuggestionKind.COMPLETION),

    /** A next word, before its first letter. */
    NEXT(NativeSuggestionKind.NEXT),

    /** Replaces a word that looks mistyped. */
    CORRECTION(NativeSuggestionKind.CORRECTION),

    /** The word exactly as typed, offered where a correction is pending. */
    TYPED(NativeSuggestionKind.TYPED),

    /** Several words: ghost text. */
    PHRASE(NativeSuggestionKind.PHRASE),

    /** An emoji. */
    EMOJI(NativeSuggestionKind.EMOJI),
    ;

    internal companion object {
        fun of(native: NativeSuggestionKind) = entries.first { it.native == native }
    }
}

/**
 * A snapshot of the text field.
 *
 * @property before text before the cursor (or before the selection), as much as is known
 * @property after text after the cursor, as much as is known
 * @property field kind of the field
 * @property epoch counts the changes of the field: an answer to an older epoch is stale and never applied
 */
public data class EditorContext(
    val before: String,
    val after: String = "",
    val field: FieldKind = FieldKind.MESSAGE,
    val epoch: Long = 0,
) {
    internal fun native() =
        NativeEditorContext(before.wellFormed(), after.wellFormed(), field.native, epoch.unsigned("epoch"))

    internal companion object {
        fun of(native: NativeEditorContext) =
            EditorContext(native.before, native.after, FieldKind.of(native.field), native.epoch.signed())
    }
}

/**
 * One suggestion and the exact edit that accepting it makes.
 *
 * @property text the text that appears, without the space that follows a word
 * @property kind what it is
 * @property score natural logarithm of its probability; comparable within one answer
 * @property replace Unicode scalar values before the cursor that make way for [text]
 * @property automatic only for corrections: whether it is sure enough to be applied when the word ends
 */
public data class Suggestion(
    val text: String,
    val kind: SuggestionKind,
    val score: Float,
    val replace: Int,
    val automatic: Boolean,
) {
    internal fun native() =
        NativeSuggestion(text.wellFormed(), kind.native, score, replace.unsigned("replace"), automatic)

    internal companion object {
        fun of(native: NativeSuggestion) = Suggestion(
            native.text,
            SuggestionKind.of(native.kind),
            native.score,
            native.replace.signed(),
            native.automatic,
        )
    }
}

/**
 * The engine's answer for one context.
 *
 * @property epoch epoch of the context that was asked about
 * @property items best first
 * @property fresh whether the model's distribution for this context was used; otherwise it may still come
 */
public data class Suggestions(val epoch: Long, val items: List<Suggestion>, val fresh: Boolean) {

    /** As JSON, to be sent from the process that has the engine to the one that has the keyboard. */
    public fun toJson(): String {
        val native = native()
        return nativeCall { suggestionsToJson(native) }
    }

    internal fun native() = NativeSuggestions(epoch.unsigned("epoch"), items.map { it.native() }, fresh)

    /** Ways to get an answer. */
    public companion object {
        /** The answer that [toJson] wrote. */
        public fun fromJson(json: String): Suggestions = of(nativeCall { suggestionsFromJson(json.wellFormed()) })

        internal fun of(native: NativeSuggestions) =
            Suggestions(native.epoch.signed(), native.items.map(Suggestion::of), native.fresh)
    }
}
