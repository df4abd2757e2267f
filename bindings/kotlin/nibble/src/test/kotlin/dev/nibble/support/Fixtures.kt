package dev.nibble.support

import java.io.File
import java.util.concurrent.TimeUnit

/** Files that the tests read. Maven runs them in the module's folder. */
object Fixtures {
    private val root = File("../../..").canonicalFile
    private val data = File(System.getenv("XDG_DATA_HOME") ?: "${System.getProperty("user.home")}/.local/share", "nibble")

    /** A tiny model with random weights. */
    val tiny = existing(root.resolve("rust/nibble-testkit/fixtures/phi3-tiny/model-f16.gguf"))

    /** The default model. */
    val model get() = existing(data.resolve("models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf"))
    val lexicon get() = existing(data.resolve("lexicons/en.lex"))
    val emoji get() = existing(data.resolve("lexicons/en.emoji.tsv"))
    val scenarios = existing(root.resolve("rust/nibble-keyboard/scenarios"))

    private fun existing(file: File): File {
        check(file.exists()) { "$file is missing: run scripts/test-kotlin" }
        return file
    }

    /** What the `nibble` command writes for these arguments and this input. */
    fun nibble(vararg arguments: String, input: String = ""): String {
        val command = checkNotNull(System.getProperty("nibble.command")?.ifEmpty { null }) {
            "-Dnibble.command is missing: run scripts/test-kotlin"
        }
        val process = ProcessBuilder(command, *arguments).redirectError(ProcessBuilder.Redirect.INHERIT).start()
        process.outputStream.use { it.write(input.toByteArray()) }
        val output = process.inputStream.readBytes().decodeToString()
        check(process.waitFor(300, TimeUnit.SECONDS)) { "nibble ${arguments.first()} does not end" }
        check(process.exitValue() == 0) { "nibble ${arguments.first()}: exit code ${process.exitValue()}" }
        return output
    }
}
