package dev.nibble.keyboard

import dev.nibble.TypingEngine
import dev.nibble.android.ComputeLevel
import dev.nibble.keyboard.engine.EngineHost
import dev.nibble.keyboard.engine.EngineSettings
import dev.nibble.keyboard.engine.FromEngine
import dev.nibble.keyboard.engine.ToEngine
import java.io.FileNotFoundException
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import kotlin.test.assertEquals
import kotlin.test.assertNotNull
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner

@RunWith(RobolectricTestRunner::class)
class EngineHostTest {
    private val replies = LinkedBlockingQueue<ByteArray>()
    private val settings = EngineSettings("en", "qwerty", CorrectionStrength.NORMAL, null)

    /** Waits until everything that was sent is done. */
    private fun EngineHost.finish() {
        receive(ToEngine.Measure.encode())
        assertNotNull(FromEngine.decode(assertNotNull(replies.poll(10, TimeUnit.SECONDS))))
    }

    @Test
    fun `an engine that could not be opened is opened when the same settings come again`() {
        var opened = 0
        var fails = true
        val host = EngineHost(
            openEngine = { words, _ ->
                opened++
                if (fails) throw FileNotFoundException("en.lex") else TypingEngine(null, emptyList(), words)
            },
            openModel = { null },
            level = { ComputeLevel.FULL },
            reply = replies::put,
        )
        host.use {
            host.receive(ToEngine.Configure(settings).encode())
            host.finish()
            fails = false
            repeat(2) { host.receive(ToEngine.Configure(settings).encode()) }
            host.finish()
        }
        assertEquals(2, opened)
    }
}
