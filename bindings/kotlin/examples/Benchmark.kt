// The calls of rust/nibble-keyboard/examples/bindings_baseline.rs, for scripts/bench-bindings.
package dev.nibble.examples.benchmark

import dev.nibble.EditorContext
import dev.nibble.GenerationOptions
import dev.nibble.Lexicon
import dev.nibble.Model
import dev.nibble.TypingEngine
import kotlinx.coroutines.flow.collect
import java.io.File
import java.util.Locale
import kotlin.time.Duration.Companion.seconds

/** Suggestions that are timed for each context. */
private const val ROUNDS = 100

/** The virtual machine compiles what is called often; what it took before that does not count. */
private const val WARM_UP = 20_000

/** Tokens that are generated. */
private const val TOKENS = 128

/**
 * Arguments: MODEL LEXICON CONTEXTS. Prints p50 and p95 of a suggestion in microseconds and what the engine itself took of
 * them at p95, tokens a second, and the percent of that time that was not spent in the model's passes.
 */
suspend fun main(arguments: Array<String>) {
    val (modelFile, lexiconFile, contextsFile) = arguments.map(::File)
    val model = Model.open(modelFile)
    val lexicons = listOf(Lexicon.open(lexiconFile))
    val contexts = contextsFile.readLines().map { EditorContext(it) }
    TypingEngine(null, lexicons).use { engine -> repeat(WARM_UP) { engine.suggest(contexts[it % contexts.size]) } }
    val times = mutableListOf<Long>()
    val inEngine = TypingEngine(model, lexicons).use { engine ->
        for (context in contexts) {
            engine.awaitFresh(context, 60.seconds)
            engine.awaitIdle(60.seconds)
            repeat(ROUNDS) {
                val began = System.nanoTime()
                engine.suggest(context)
                times += System.nanoTime() - began
            }
        }
        engine.stats().suggestP95Milliseconds
    }
    times.sort()

    val options = GenerationOptions(maxTokens = TOKENS + 1, stopAtEndOfText = false)
    repeat(12) { model.newSession().use { it.generate("Once upon a time", options).collect() } }
    var began = 0L
    var elapsed = 0.0
    var inPasses = 0.0
    model.newSession().use { session ->
        session.generate("Once upon a time", options).collect { chunk ->
            if (began == 0L) began = System.nanoTime()
            elapsed = (System.nanoTime() - began) / 1e9
            chunk.stats?.let { inPasses = it.decodeMilliseconds / 1e3 }
        }
    }
    val outside = 100 * (1 - inPasses / elapsed)

    fun microseconds(percent: Int) = times[times.size * percent / 100] / 1e3
    val suggest = "%.1f %.1f %.1f".format(Locale.ROOT, microseconds(50), microseconds(95), 1e3 * (inEngine ?: 0.0))
    println("%s %.2f %.3f".format(Locale.ROOT, suggest, TOKENS / elapsed, outside))
}
