package dev.nibble.examples

// snippet: shown
import dev.nibble.EditorContext
import dev.nibble.Lexicon
import dev.nibble.Model
import dev.nibble.TypingEngine
import java.io.File
import kotlin.time.Duration.Companion.seconds

suspend fun suggest(model: File, lexicon: File, before: String): List<String> =
    Model.open(model).use { opened ->
        Lexicon.open(lexicon).use { words ->
            TypingEngine(opened, listOf(words)).use { engine ->
                engine.awaitFresh(EditorContext(before), 10.seconds).items.map { it.text }
            }
        }
    }
// snippet end
