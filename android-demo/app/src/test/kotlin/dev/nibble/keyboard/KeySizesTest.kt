package dev.nibble.keyboard

import android.app.Activity
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Paint
import android.graphics.RectF
import android.view.View.MeasureSpec
import dev.nibble.Layout
import dev.nibble.LayoutPage
import dev.nibble.Slot
import dev.nibble.Strip
import dev.nibble.SuggestionKind
import dev.nibble.keyboard.view.KeyboardView
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import kotlin.test.assertEquals
import kotlin.test.assertTrue

/** Keys are large enough, do not overlap, and what stands on them is whole, on every page and screen. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class KeySizesTest {
    private val layouts = listOf("qwerty", "qwertz", "azerty")

    /** Notes the text that is drawn. */
    private class Notes(bitmap: Bitmap) : Canvas(bitmap) {
        class Text(val text: String, val bounds: RectF)

        val texts = mutableListOf<Text>()

        override fun drawText(text: String, x: Float, y: Float, paint: Paint) {
            assertEquals(Paint.Align.CENTER, paint.textAlign)
            val half = paint.measureText(text) / 2
            texts += Text(text, RectF(x - half, y + paint.ascent(), x + half, y + paint.descent()))
            super.drawText(text, x, y, paint)
        }
    }

    /**
     * Lays the keyboard out as wide as the screen and checks all of a page.
     *
     * @param narrowest width of the narrowest key, in dp
     */
    private fun check(layout: String, page: LayoutPage, narrowest: Float) {
        val activity = Robolectric.buildActivity(Activity::class.java).setup().get()
        val view = KeyboardView(activity) {}
        view.layout = Layout.builtin(layout)
        view.spaceLabel = "English"
        view.showPage(page)
        view.showStrip(Strip(1, listOf("weather", "whether", "wether").map { Slot(it, SuggestionKind.COMPLETION) }, null))
        val metrics = activity.resources.displayMetrics
        view.measure(
            MeasureSpec.makeMeasureSpec(metrics.widthPixels, MeasureSpec.EXACTLY),
            MeasureSpec.makeMeasureSpec(metrics.heightPixels, MeasureSpec.AT_MOST),
        )
        view.layout(0, 0, view.measuredWidth, view.measuredHeight)
        val what = "$layout $page on ${metrics.widthPixels} × ${metrics.heightPixels}"
        // The app has at least a third of the screen.
        assertTrue(view.height <= metrics.heightPixels * 2 / 3, "$what is ${view.height} high")

        val targets = view.targets
        assertTrue(targets.size > 15, "$what has ${targets.size} targets")
        val all = RectF(0f, 0f, view.width.toFloat(), view.height.toFloat()).apply { inset(-ROUNDING, -ROUNDING) }
        for (target in targets) {
            val (width, height) = target.bounds.width() / metrics.density to target.bounds.height() / metrics.density
            assertTrue(height >= 48 - ROUNDING && width >= narrowest - ROUNDING, "$what: $width × $height dp")
            assertTrue(all.contains(target.bounds), "$what: ${target.bounds} is outside of $all")
        }
        for ((index, one) in targets.withIndex()) {
            for (other in targets.drop(index + 1)) {
                val shared = RectF(one.bounds).apply { inset(ROUNDING, ROUNDING) }
                assertTrue(!shared.intersect(other.bounds), "$what: ${one.bounds} and ${other.bounds} overlap")
            }
        }

        val notes = Notes(Bitmap.createBitmap(view.width, view.height, Bitmap.Config.ARGB_8888))
        view.draw(notes)
        assertTrue(notes.texts.size > 10, "$what has ${notes.texts.size} labels")
        for (text in notes.texts) {
            assertTrue("…" !in text.text, "$what: ${text.text} is cut")
            assertTrue(targets.any { it.bounds.contains(text.bounds) }, "$what: ${text.text} is in no key")
        }
    }

    private companion object {
        /** Pixels, and dp, that places on whole pixels may be off. */
        const val ROUNDING = 0.5f
    }

    @Test
    @Config(qualifiers = "w411dp-h731dp-420dpi")
    fun phone() {
        // Ten letters share the width, or eleven where there are umlauts.
        for (layout in layouts) for (page in listOf(LayoutPage.LETTERS, LayoutPage.SYMBOLS, LayoutPage.MORE_SYMBOLS)) {
            check(layout, page, if (layout == "qwertz") 37f else 41f)
        }
        check("qwerty", LayoutPage.EMOJI, 45f)
    }

    @Test
    @Config(qualifiers = "w360dp-h640dp-xhdpi")
    fun `the page of digits on a small phone`() = check("qwerty", LayoutPage.NUMBERS, 48f)

    @Test
    @Config(qualifiers = "w731dp-h411dp-land-420dpi")
    fun landscape() {
        for (layout in layouts) for (page in LayoutPage.entries) check(layout, page, 48f)
    }

    @Test
    @Config(qualifiers = "sw800dp-w1280dp-h800dp-land-xhdpi")
    fun tablet() {
        for (layout in layouts) for (page in LayoutPage.entries) check(layout, page, 48f)
    }

    @Test
    @Config(qualifiers = "sw600dp-w600dp-h960dp-port-xhdpi")
    fun `small tablet`() {
        for (page in LayoutPage.entries) check("qwerty", page, 48f)
    }

    @Test
    @Config(qualifiers = "w360dp-h640dp-xhdpi")
    fun `the largest font on a small phone`() {
        RuntimeEnvironment.setFontScale(2f)
        for (layout in layouts) for (page in LayoutPage.entries) check(layout, page, 32f)
    }
}
