package dev.nibble

import dev.nibble.internal.Generation as NativeGeneration
import dev.nibble.internal.Session as NativeSession
import dev.nibble.internal.SessionOptions as NativeSessionOptions
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.buffer
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.launch
import java.io.Closeable

/**
 * How a session is made.
 *
 * @property context tokens that it can hold; 0 for what the model was opened with
 * @property activations how activations are held; null for what the model was opened with
 * @property kvFormat how keys and values are stored; null for what the model was opened with
 */
public data class SessionOptions(
    val context: Int = 0,
    val activations: Activations? = null,
    val kvFormat: KvFormat? = null,
) {
    internal fun native() = NativeSessionOptions(context.unsigned("context"), activations?.native, kvFormat?.native)
}

/**
 * One text in progress over a shared model, with its KV cache. A text that begins like the one before costs only what
 * is new.
 *
 * One generation runs at a time: a second one that is collected meanwhile fails with [NibbleException.Busy], or takes
 * turns where the first one waits for its collector. After [close] everything throws [NibbleException.Closed].
 */
public class Session internal constructor(private val native: NativeSession) : Closeable {

    /**
     * Continues [prompt], after the token for the beginning where the model's file asks for one.
     *
     * The flow is cold: each collection generates anew. It works on a thread of Nibble's own, and is ahead of the
     * collector by the steps of 30 milliseconds, four at most. Cancelling the collector, or an operator such as
     * `take`, ends the work within a fraction of a step, the reading of the prompt included; when `collect` has
     * returned, the session is free again. The flow fails with [NibbleException.ContextFull]
     * where the session is full; text that came before stays valid.
     */
    public fun generate(prompt: String, options: GenerationOptions = GenerationOptions()): Flow<Chunk> {
        val asked = options.native()
        return chunks { native.generate(prompt.wellFormed(), asked) }
    }

    /** [generate] for a text that is given as tokens. */
    public fun generate(tokens: List<Int>, options: GenerationOptions = GenerationOptions()): Flow<Chunk> {
        val asked = options.native()
        val prompt = tokens.map { it.unsigned("token") }
        return chunks { native.generateFromTokens(prompt, asked) }
    }

    /** Tokens that the session holds. */
    public fun tokenCount(): Int = nativeCall { native.tokenCount() }.signed()

    /** Tokens that the session can hold. */
    public fun capacity(): Int = nativeCall { native.capacity() }.signed()

    /** Keeps the first [length] tokens; 0 forgets the text. */
    public fun truncate(length: Int) {
        val kept = length.unsigned("length")
        nativeCall { native.truncate(kept) }
    }

    /** A second session with the same content, which costs no copy until the two differ. */
    public fun fork(): Session = Session(nativeCall { native.fork() })

    /** Cancels what is being generated, and gives the session and its KV cache up. */
    override fun close() {
        destroy(native) { release() }
    }
}

/** Less than one sees; a call costs a tenth of a millisecond, because a step of the model empties the caches. */
private const val MILLISECONDS_OF_A_CALL = 30u

/** The chunks of a generation that begins when they are collected. */
private fun chunks(begin: () -> NativeGeneration): Flow<Chunk> = flow {
    val generation = nativeCall(begin)
    try {
        nativeCall { generation.cancelHandle() }.use { handle ->
            coroutineScope {
                // Runs on the thread that cancels, because this one is inside a step.
                val watch = launch(Dispatchers.Unconfined) {
                    try {
                        awaitCancellation()
                    } finally {
                        handle.cancel()
                    }
                }
                do {
                    val chunks = generation.steps()
                    chunks.forEach { emit(it) }
                } while (chunks.isNotEmpty() && chunks.last().stopReason == null)
                watch.cancel()
            }
        }
    } finally {
        destroy(generation) { release() }
    }
}.buffer(Channel.RENDEZVOUS).flowOn(nibbleDispatcher)

private suspend fun NativeGeneration.steps(): List<Chunk> = try {
    nativeCall { nextChunks(MILLISECONDS_OF_A_CALL).map { Chunk.of(it, if (it.stopReason == null) null else stats()) } }
} catch (error: NibbleException.Cancelled) {
    // Where the coroutine was cancelled, that is what happened.
    currentCoroutineContext().ensureActive()
    throw error
}
