package dev.nibble.keyboard

import android.text.InputType
import android.view.View
import android.view.inputmethod.EditorInfo
import android.widget.TextView
import dev.nibble.keyboard.engine.statusBytes
import dev.nibble.keyboard.settings.StatisticsActivity
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import java.io.File
import kotlin.math.abs
import kotlin.test.assertEquals
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue

/** What the keyboard counts is what the fingers did, and what it measures is what the system says. */
@RunWith(RobolectricTestRunner::class)
@Config(qualifiers = "w411dp-h731dp-420dpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class StatisticsTest {
    @Test
    fun `keys, characters and suggestions are counted`() = Typist().use { typist ->
        val statistics = typist.app.statistics
        assertNull(statistics.saved)
        typist.type("Thank you very mu")
        typist.awaitModel()
        typist.tapSlot(typist.slots().indexOfFirst { it.text == "much" })
        assertEquals("Thank you very much ", typist.text)
        assertEquals(listOf<Long>(18, 20, 1, 0), statistics.run { listOf(keys, characters, accepted, reverted) })
        assertEquals(1 - 18.0 / 20, statistics.saved)

        typist.type("tomorow")
        typist.awaitModel()
        typist.type(" ")
        assertEquals("Thank you very much tomorrow ", typist.text)
        assertEquals(listOf<Long>(26, 29, 1, 0), statistics.run { listOf(keys, characters, accepted, reverted) })
        typist.backspace()
        assertEquals("Thank you very much tomorow ", typist.text)
        assertEquals(listOf<Long>(27, 28, 1, 1), statistics.run { listOf(keys, characters, accepted, reverted) })

        // What stood before is nobody's keystrokes, and neither is deleting it.
        typist.startInput()
        repeat(3) { typist.backspace() }
        assertEquals(listOf<Long>(27, 28), listOf(statistics.keys, statistics.characters))

        // They outlive the process.
        typist.keyboard.onFinishInput()
        assertEquals(listOf(statistics.keys, statistics.characters), TypingStatistics(typist.app).run { listOf(keys, characters) })
        statistics.reset()
        assertEquals(listOf<Long>(0, 0), TypingStatistics(typist.app).run { listOf(keys, characters) })
    }

    @Test
    fun `nothing is counted where nothing is to be learned`() {
        val secret = InputType.TYPE_CLASS_TEXT or InputType.TYPE_TEXT_VARIATION_PASSWORD
        for ((type, options) in listOf(secret to 0, Typist.MESSAGE to EditorInfo.IME_FLAG_NO_PERSONALIZED_LEARNING)) {
            Typist(type, options).use { typist ->
                typist.type("Hello ")
                assertEquals(0, typist.app.statistics.keys)
                assertEquals(0, typist.app.statistics.characters)
            }
        }
    }

    @Test
    fun `the latest durations have quantiles`() {
        val durations = Durations()
        assertNull(durations.quantile(0.5))
        for (duration in 100 downTo 1) durations.add(duration.toDouble())
        assertEquals(50.0, durations.quantile(0.5))
        assertEquals(95.0, durations.quantile(0.95))
        repeat(1000) { durations.add(7.0) }
        assertEquals(1000, durations.count)
        assertEquals(7.0, durations.quantile(1.0))
    }

    @Test
    fun `the page shows what was counted and what the process of the engine takes`() = Typist().use { typist ->
        for (word in listOf("Thank", " you", " very", " mu")) {
            typist.type(word)
            typist.awaitModel()
        }
        typist.tapSlot(typist.slots().indexOfFirst { it.text == "much" })
        for (word in listOf("for", " your", " help", " with", " this", " project")) {
            typist.type(word)
            typist.awaitModel()
        }
        assertEquals("Thank you very much for your help with this project", typist.text)
        val page = open<StatisticsActivity>()
        await("report") { page.says("Smollm2 135M") }
        // One tap made three characters.
        assertTrue(page.says("51") && page.says("49") && page.says("3.9 %"))
        val statistics = typist.app.statistics
        assertTrue(statistics.toModel.count in 10..51)
        assertTrue(page.says("%.1f / %.1f ms".format(statistics.toModel.quantile(0.5), statistics.toModel.quantile(0.95))))
        val report = assertNotNull(statistics.engine)
        assertTrue(report.passes >= 9, "a pass for each word: $report")
        val status = File("/proc/${typist.app.pipe.process.pid()}/status").readText()
        for ((name, bytes) in listOf("RssAnon" to report.anonymousBytes, "RssFile" to report.mappedBytes)) {
            val now = statusBytes(status, name)
            assertTrue(now > 0 && abs(now - bytes) < now / 4, "$name: $now, reported $bytes")
        }
        assertTrue(page.says("%.1f MB".format(report.anonymousBytes / 1e6)))
        // Its numbers are measured, so they differ.
        val numbers = page.views().filter { it is TextView && it.text.any(Char::isDigit) }
        // A longer one begins further left.
        val places = numbers.map { it.place().apply { left -= 100 } }
        picture("statistics", page.window.decorView, places.toList())

        page.click(R.string.statistics_reset)
        assertEquals(0, statistics.keys)
        // Not the number of keys, which may be in a measured one.
        assertTrue(!page.says("3.9 %"))
    }
}
