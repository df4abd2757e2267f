package dev.nibble.examples

// snippet: shown
import dev.nibble.Model
import java.io.File

suspend fun main(arguments: Array<String>) {
    Model.open(File(arguments[0])).use { model ->
        model.newSession().use { session ->
            session.generate("The capital of France is").collect { print(it.text) }
        }
    }
}
// snippet end
