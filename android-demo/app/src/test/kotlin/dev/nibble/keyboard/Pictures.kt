package dev.nibble.keyboard

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Canvas
import android.graphics.Color
import android.view.View
import java.io.File
import kotlin.math.abs
import kotlin.test.assertEquals
import kotlin.test.assertTrue

/** Share of the pixels that may look different: another suggestion is within it, another look is not. */
const val TOLERANCE = 0.003

/** How far apart a channel of two pixels may be that look the same. */
private const val CHANNEL = 24

/**
 * Takes a picture of a view, at half its size, and compares it with the committed one of this name. Where pictures are
 * renewed, it takes the place of that one.
 *
 * @param tolerance share of the pixels that may look different
 */
fun picture(name: String, view: View, tolerance: Double = TOLERANCE) {
    val taken = take(view)
    taken.save(File(System.getProperty("nibble.screenshots")), name)
    if (System.getProperty("nibble.screenshots.renew") == "true") taken.save(committed, name)
    val share = difference(name, taken)
    assertTrue(share <= tolerance, "${100 * share} % of $name look different; if they should, renew the pictures")
}

private val committed = File("../../docs/android")

/** A view at half its size. */
fun take(view: View): Bitmap {
    val bitmap = Bitmap.createBitmap(view.width, view.height, Bitmap.Config.ARGB_8888)
    view.draw(Canvas(bitmap))
    return Bitmap.createScaledBitmap(bitmap, bitmap.width / 2, bitmap.height / 2, true)
}

/** Share of the pixels that look different on the committed picture. */
fun difference(name: String, taken: Bitmap): Double {
    val file = committed.resolve("$name.png")
    assertTrue(file.exists(), "there is no picture $name: run scripts/test-android-demo --renew-pictures, and look at it")
    val expected = BitmapFactory.decodeFile(file.path)
    assertEquals(expected.width to expected.height, taken.width to taken.height, "size of $name")
    return differences(expected, taken)
}

private fun differences(one: Bitmap, other: Bitmap): Double {
    val (here, there) = one.pixels() to other.pixels()
    val count = here.indices.count { index ->
        val (a, b) = here[index] to there[index]
        val distances = listOf(Color.red(a) - Color.red(b), Color.green(a) - Color.green(b), Color.blue(a) - Color.blue(b))
        distances.any { abs(it) > CHANNEL }
    }
    return count.toDouble() / here.size
}

private fun Bitmap.pixels() = IntArray(width * height).also { getPixels(it, 0, width, 0, 0, width, height) }

private fun Bitmap.save(folder: File, name: String) {
    folder.mkdirs()
    folder.resolve("$name.png").outputStream().use { compress(Bitmap.CompressFormat.PNG, 100, it) }
}
