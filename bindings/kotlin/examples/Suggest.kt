package dev.nibble.examples

// snippet: shown
import dev.nibble.EditorContext
import dev.nibble.Lexicon
import dev.nibble.Model
import dev.nibble.TypingEngine
import java.io.File
import kotlin.time.Duration.Companion.seconds

suspend fun suggest(model: File, lexicon: File, before: String): List<String> {
    val engine = TypingEngine(Model.open(model), listOf(Lexicon.open(lexicon)))
    return engine.use { it.awaitFresh(EditorContext(before), 10.seconds).items.map { word -> word.text } }
}
// snippet end
