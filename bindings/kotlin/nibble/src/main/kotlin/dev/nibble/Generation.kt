package dev.nibble

import dev.nibble.internal.Chunk as NativeChunk
import dev.nibble.internal.GenerationOptions as NativeGenerationOptions
import dev.nibble.internal.GenerationStats as NativeGenerationStats
import dev.nibble.internal.StopReason as NativeStopReason

/**
 * What to generate and when to stop.
 *
 * @property maxTokens tokens to generate at most
 * @property temperature divides the logits; 0 takes the most probable token each time
 * @property topK only so many of the most probable tokens; 0 for all
 * @property topP only the most probable tokens that have this probability together; 1 for all
 * @property minP only tokens at least this many times as probable as the best one; 0 for all
 * @property repetitionPenalty makes tokens that came lately less likely; 1 for no effect
 * @property repetitionWindow how many tokens back [repetitionPenalty] looks
 * @property seed seed of the random numbers, of which all bits count: the same seed, model and prompt give the same
 *   text
 * @property stop texts that end the generation; only what comes before them is given out
 * @property stopAtEndOfText whether a token that ends the text ends the generation
 * @property parseSpecialTokens whether the names of special tokens in the prompt, such as `<|im_end|>`, are read as
 *   those tokens. Leave it off where the prompt holds what users typed.
 * @property promptLookup tokens that are guessed ahead at most where the text repeats itself, up to 31; 0 for none. The
 *   text is the same as without, and comes faster where guesses are right.
 */
public data class GenerationOptions(
    val maxTokens: Int = 256,
    val temperature: Float = 0f,
    val topK: Int = 0,
    val topP: Float = 1f,
    val minP: Float = 0f,
    val repetitionPenalty: Float = 1f,
    val repetitionWindow: Int = 64,
    val seed: Long = 0,
    val stop: List<String> = emptyList(),
    val stopAtEndOfText: Boolean = true,
    val parseSpecialTokens: Boolean = false,
    val promptLookup: Int = 0,
) {
    internal fun native() = NativeGenerationOptions(
        maxTokens.unsigned("maxTokens"),
        temperature,
        topK.unsigned("topK"),
        topP,
        minP,
        repetitionPenalty,
        repetitionWindow.unsigned("repetitionWindow"),
        seed.toULong(),
        stop.map { it.wellFormed() },
        stopAtEndOfText,
        parseSpecialTokens,
        promptLookup.unsigned("promptLookup"),
    )
}

/** Why a generation ended. */
public enum class StopReason(internal val native: NativeStopReason) {
    /** The model ended the text. */
    END_OF_TEXT(NativeStopReason.END_OF_TEXT),

    /** [GenerationOptions.maxTokens] were generated. */
    MAX_TOKENS(NativeStopReason.MAX_TOKENS),

    /** One of the stop strings appeared. */
    STOP_STRING(NativeStopReason.STOP_STRING),
    ;

    internal companion object {
        fun of(native: NativeStopReason) = entries.first { it.native == native }
    }
}

/**
 * A piece of generated text.
 *
 * @property text whole characters; empty while a character is incomplete or a stop string may have begun
 * @property token the token behind it; null in a last chunk that has no token of its own
 * @property generatedTokens tokens generated so far
 * @property stopReason why the generation ended: in its last chunk, and only there
 * @property stats counts and times: in the last chunk, and only there
 */
public data class Chunk(
    val text: String,
    val token: Int?,
    val generatedTokens: Int,
    val stopReason: StopReason?,
    val stats: GenerationStats?,
) {
    internal companion object {
        fun of(native: NativeChunk, stats: NativeGenerationStats?) = Chunk(
            native.text,
            native.token?.signed(),
            native.generatedTokens.signed(),
            native.stopReason?.let(StopReason::of),
            stats?.let(GenerationStats::of),
        )
    }
}

/**
 * Counts and times of one generation. Times are milliseconds.
 *
 * @property promptTokens tokens of the prompt
 * @property reusedTokens tokens of the prompt that the session held already
 * @property prefilledTokens tokens that went through the network in prefill
 * @property generatedTokens tokens generated
 * @property prefillMilliseconds time of all prefills
 * @property decodeMilliseconds time of all single-token passes
 * @property firstTokenMilliseconds from the first step to the first token
 * @property prefillTokensPerSecond tokens of prefill a second; 0 where there were none
 * @property decodeTokensPerSecond single-token passes a second; 0 before the first
 */
public data class GenerationStats(
    val promptTokens: Int,
    val reusedTokens: Int,
    val prefilledTokens: Int,
    val generatedTokens: Int,
    val prefillMilliseconds: Double,
    val decodeMilliseconds: Double,
    val firstTokenMilliseconds: Double,
    val prefillTokensPerSecond: Double,
    val decodeTokensPerSecond: Double,
) {
    internal companion object {
        fun of(native: NativeGenerationStats) = GenerationStats(
            native.promptTokens.signed(),
            native.reusedTokens.signed(),
            native.prefilledTokens.signed(),
            native.generatedTokens.signed(),
            native.prefillMilliseconds,
            native.decodeMilliseconds,
            native.firstTokenMilliseconds,
            native.prefillTokensPerSecond,
            native.decodeTokensPerSecond,
        )
    }
}
