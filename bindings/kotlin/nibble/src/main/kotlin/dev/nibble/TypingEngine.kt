package dev.nibble

import dev.nibble.internal.Completer as NativeCompleter
import dev.nibble.internal.CompleterOptions as NativeCompleterOptions
import dev.nibble.internal.CorrectionThresholds as NativeCorrectionThresholds
import dev.nibble.internal.ModelState as NativeModelState
import dev.nibble.internal.Primers as NativePrimers
import dev.nibble.internal.Suggestions as NativeSuggestions
import dev.nibble.internal.WordWeights as NativeWordWeights
import dev.nibble.internal.builtinPrimers
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.withContext
import java.io.Closeable
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource

/**
 * What the model reads before the text of each kind of field: a few lines in its style.
 *
 * @property message for messages, and fields of which nothing is known
 * @property email for e-mail
 * @property note for notes and documents
 * @property search for search boxes
 */
public data class Primers(
    val message: String = "",
    val email: String = "",
    val note: String = "",
    val search: String = "",
) {
    internal fun native() =
        NativePrimers(message.wellFormed(), email.wellFormed(), note.wellFormed(), search.wellFormed())

    /** Primers that come along. */
    public companion object {
        /** The primers that are used where none are given. */
        public fun builtin(): Primers {
            val primers = nativeCall { builtinPrimers() }
            return Primers(primers.message, primers.email, primers.note, primers.search)
        }
    }
}

/**
 * How model, lexicons and user are mixed.
 *
 * @property lexicon part of the lexicons beside the model: for rare words
 * @property unlisted part of its probability that a token keeps which looks like a word and is in no lexicon
 * @property user part of what the user has typed, as far as it is known, beside everything else
 */
public data class WordWeights(
    val lexicon: Float = 0.05f,
    val unlisted: Float = 0.3f,
    val user: Float = 0.15f,
) {
    internal fun native() = NativeWordWeights(lexicon, unlisted, user)
}

/**
 * How sure a correction must be to be made without asking, as log odds.
 *
 * @property known against a word of the lexicon
 * @property unknown against a word that no lexicon has
 * @property unknownShort against an unknown word of fewer than four letters
 */
public data class CorrectionThresholds(
    val known: Float = 2.5f,
    val unknown: Float = 1f,
    val unknownShort: Float = 1f,
) {
    internal fun native() = NativeCorrectionThresholds(known, unknown, unknownShort)
}

/**
 * How a typing engine works.
 *
 * @property slots suggestions that an answer has
 * @property corrections whether mistyped words are corrected
 * @property layout keys of the keyboard, for corrections; null for `qwerty`
 * @property thresholds how sure a correction must be
 * @property weights how model, lexicons and user are mixed
 * @property primers what the model reads first; null for the built-in ones
 * @property emoji emoji that words bring to mind
 * @property suggestOffensive whether words are suggested that a lexicon marks as offensive. What is typed is never
 *   filtered.
 * @property expand whether an idle model looks for words of several tokens inside a word, which costs passes: for
 *   languages whose words seldom are single tokens
 * @property lookAhead whether an idle model reads the word on that is probably being typed. Hides most of the wait at
 *   the next boundary and costs passes.
 * @property lookAheadThreshold probability from which on a word is read ahead
 * @property phraseThreshold probability that a phrase of ghost text has at least, all its words together
 * @property cacheBytes bytes that the boundaries visited last may take
 */
public data class TypingEngineOptions(
    val slots: Int = 3,
    val corrections: Boolean = true,
    val layout: Layout? = null,
    val thresholds: CorrectionThresholds = CorrectionThresholds(),
    val weights: WordWeights = WordWeights(),
    val primers: Primers? = null,
    val emoji: EmojiTable? = null,
    val suggestOffensive: Boolean = false,
    val expand: Boolean = false,
    val lookAhead: Boolean = false,
    val lookAheadThreshold: Float = 0.5f,
    val phraseThreshold: Float = 0.3f,
    val cacheBytes: Long = 6L shl 20,
) {
    internal fun native() = NativeCompleterOptions(
        slots.unsigned("slots"),
        corrections,
        layout?.native,
        thresholds.native(),
        weights.native(),
        primers?.native(),
        emoji?.native,
        suggestOffensive,
        expand,
        lookAhead,
        lookAheadThreshold,
        phraseThreshold,
        cacheBytes.unsigned("cacheBytes"),
    )
}

/** How the engine's model is. */
public sealed interface ModelState {
    /** There is none. */
    public data object Absent : ModelState

    /** It is being prepared. */
    public data object Loading : ModelState

    /** It answers. */
    public data object Ready : ModelState

    /**
     * It failed for good, until a model is set again.
     *
     * @property code the error's exact name, as in [NibbleException.code]
     */
    public data class Failed(val code: String) : ModelState
}

/**
 * Counts and times; no text. Times are milliseconds, and null where nothing was measured.
 *
 * @property passes forward calls, of whatever purpose, aborted ones included
 * @property speculativePasses those of look-ahead that were not asked for while they ran
 * @property phrasePasses those of phrases
 * @property expansionPasses those of words of several tokens
 * @property aborted pieces of work that newer work aborted
 * @property failed pieces of work that failed
 * @property cacheHits boundaries that were asked for and known
 * @property cacheMisses boundaries that were asked for and had to be computed
 * @property passP50Milliseconds median of a pass
 * @property passP95Milliseconds 95th percentile of a pass
 * @property suggestP50Milliseconds median of a suggestion
 * @property suggestP95Milliseconds 95th percentile of a suggestion
 * @property memoryBytes bytes of memory of boundaries, the vocabulary's index and the words
 */
public data class TypingStats(
    val passes: Long,
    val speculativePasses: Long,
    val phrasePasses: Long,
    val expansionPasses: Long,
    val aborted: Long,
    val failed: Long,
    val cacheHits: Long,
    val cacheMisses: Long,
    val passP50Milliseconds: Double?,
    val passP95Milliseconds: Double?,
    val suggestP50Milliseconds: Double?,
    val suggestP95Milliseconds: Double?,
    val memoryBytes: Long,
)

/**
 * Suggests words. Share it between threads as it is.
 *
 * [suggest] answers at once, from lexicons and user model alone until the model has been heard on the present word
 * boundary, which costs one pass for each word and none inside it. After an answer that is not fresh call
 * [awaitFresh], or [poll] from a loop. The model is prepared in the background; what the user types is learned where
 * there is a user model, which belongs to the engine from then on.
 */
public class TypingEngine private constructor(internal val native: NativeCompleter) : Closeable {

    /** An engine over these lexicons; without a model, suggestions come from them alone. */
    public constructor(
        model: Model?,
        lexicons: List<Lexicon>,
        user: UserModel? = null,
        options: TypingEngineOptions = TypingEngineOptions(),
    ) : this(
        options.native().let { asked ->
            nativeCall { NativeCompleter(model?.native, lexicons.map { it.native }, user?.native, asked) }
        },
    )

    /**
     * Changes the model. Null gives its memory back, under memory pressure for instance; suggestions then come from
     * the lexicons until there is one again.
     */
    public fun setModel(model: Model?) {
        nativeCall { native.setModel(model?.native) }
    }

    /** How the model is. */
    public fun modelState(): ModelState = when (val state = nativeCall { native.modelState() }) {
        NativeModelState.Absent -> ModelState.Absent
        NativeModelState.Loading -> ModelState.Loading
        NativeModelState.Ready -> ModelState.Ready
        is NativeModelState.Failed -> ModelState.Failed(state.code)
    }

    /** Changes how many suggestions an answer has. */
    public fun setSlots(slots: Int) {
        val asked = slots.unsigned("slots")
        nativeCall { native.setSlots(asked) }
    }

    /** Messages before the field, oldest first, which the model reads before its text. [blur] forgets them. */
    public fun setConversation(messages: List<String>) {
        nativeCall { native.setConversation(messages.map { it.wellFormed() }) }
    }

    /** Suggestions for a text field, best first. Never runs the model and never waits for it. */
    public fun suggest(context: EditorContext): Suggestions {
        val asked = context.native()
        return Suggestions.of(nativeCall { native.suggest(asked) })
    }

    /**
     * [suggest] where it is known where the letters of the begun word were tapped: one point for each, in the
     * coordinates of the layout. Other numbers of points are taken for none.
     */
    public fun suggest(context: EditorContext, taps: List<Tap>): Suggestions {
        val asked = context.native()
        return Suggestions.of(nativeCall { native.suggestTapped(asked, taps.map { it.native() }) })
    }

    /** The answer to a request of a keyboard controller. */
    public fun answer(request: EngineRequest): Suggestions {
        val asked = request.native()
        return Suggestions.of(nativeCall { native.answer(asked) })
    }

    /**
     * [suggest] once the model has been heard, or where the time has passed or the model cannot answer: then the
     * answer is not fresh. Waits on a thread of Nibble's own.
     */
    public suspend fun awaitFresh(context: EditorContext, timeout: Duration = 1.seconds): Suggestions {
        val asked = context.native()
        return withContext(nibbleDispatcher) {
            val begin = TimeSource.Monotonic.markNow()
            var answer: NativeSuggestions
            do {
                // In pieces, because nothing but time ends the wait of a coroutine that was cancelled.
                val piece = (timeout - begin.elapsedNow()).coerceIn(Duration.ZERO, LONGEST_PIECE)
                val pieceBegin = TimeSource.Monotonic.markNow()
                answer = nativeCall { native.waitFresh(asked, piece.inWholeMilliseconds.toULong()) }
                currentCoroutineContext().ensureActive()
                // Less than asked for: there is nothing to wait for.
                val ended = answer.fresh || pieceBegin.elapsedNow() < piece || begin.elapsedNow() >= timeout
            } while (!ended)
            Suggestions.of(answer)
        }
    }

    /**
     * A better answer for the context that was last asked about, if its answer was not fresh and the model has been
     * heard since.
     */
    public fun poll(): Suggestions? = nativeCall { native.poll() }?.let(Suggestions::of)

    /**
     * How the text goes on for several words, where the model is sure enough; the suggestion replaces the begun word.
     * Asks for it, and gives it on a later call: call it when nothing is typed for a moment.
     */
    public fun ghost(context: EditorContext): Suggestion? {
        val asked = context.native()
        return nativeCall { native.ghost(asked) }?.let(Suggestion::of)
    }

    /** The user took a suggestion of the last answer: its words are learned, where the field learns. */
    public fun accept(suggestion: Suggestion) {
        val taken = suggestion.native()
        nativeCall { native.accept(taken) }
    }

    /**
     * The user finished words: [text] stands after [before] and was gone on from. They are learned, where the field
     * learns.
     */
    public fun commit(before: String, text: String) {
        nativeCall { native.commit(before.wellFormed(), text.wellFormed()) }
    }

    /** The user took a correction back: [typed] stands again, and is not corrected from now on. */
    public fun revert(typed: String) {
        nativeCall { native.revert(typed.wellFormed()) }
    }

    /** Typing begins in a field: a secure one forgets all text; any other has its primer read ahead. */
    public fun focus(field: FieldKind) {
        nativeCall { native.focus(field.native) }
    }

    /** Typing ended: work stops, the text and the conversation are forgotten. */
    public fun blur() {
        nativeCall { native.blur() }
    }

    /**
     * What a keyboard controller has to tell the engine. Words are learned when they are committed, so accepted
     * suggestions are not learned here.
     */
    public fun notify(notice: EngineNotice) {
        val told = notice.native()
        nativeCall { native.notify(told) }
    }

    /** Forgets all text and everything derived from it. The model and what the user taught stay. */
    public fun reset() {
        nativeCall { native.reset() }
    }

    /** Counts and times so far. */
    public fun stats(): TypingStats {
        val stats = nativeCall { native.stats() }
        return TypingStats(
            stats.passes.signed(),
            stats.speculativePasses.signed(),
            stats.phrasePasses.signed(),
            stats.expansionPasses.signed(),
            stats.aborted.signed(),
            stats.failed.signed(),
            stats.cacheHits.signed(),
            stats.cacheMisses.signed(),
            stats.passP50Milliseconds,
            stats.passP95Milliseconds,
            stats.suggestP50Milliseconds,
            stats.suggestP95Milliseconds,
            stats.memoryBytes.signed(),
        )
    }

    /**
     * Waits until the model is prepared, or has failed, and has nothing to do, or the time has passed. For
     * measurements and tests.
     */
    public suspend fun awaitIdle(timeout: Duration) {
        withContext(nibbleDispatcher) {
            nativeCall { native.waitIdle(timeout.inWholeMilliseconds.coerceAtLeast(0).toULong()) }
        }
    }

    /**
     * Gives the engine up, with the user model; typing sessions that were made with it keep it until they are
     * closed.
     */
    override fun close() {
        giveUp { native.release() }
    }

    private companion object {
        val LONGEST_PIECE = 20.milliseconds
    }
}
