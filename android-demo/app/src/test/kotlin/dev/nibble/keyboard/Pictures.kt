package dev.nibble.keyboard

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Rect
import android.view.View
import java.io.File
import kotlin.math.abs
import kotlin.test.assertEquals
import kotlin.test.assertTrue

/** Pixels that may look different: fewer than the label of a key has. */
private const val TOLERANCE = 12

/** How far apart a channel of two pixels may be that look the same. */
private const val CHANNEL = 24

/**
 * Takes a picture of a view, at half its size, and compares it with the committed one of this name. Where pictures are
 * renewed, it takes the place of that one.
 *
 * @param varying parts of the view that may show something else: what a model on another processor suggests, or
 *   what was measured
 */
fun picture(name: String, view: View, varying: List<Rect> = emptyList()) {
    val taken = take(view)
    taken.save(File(System.getProperty("nibble.screenshots")), name)
    if (System.getProperty("nibble.screenshots.renew") == "true") taken.save(committed, name)
    val count = differences(name, taken, varying)
    assertTrue(count <= TOLERANCE, "$count pixels of $name look different; if they should, renew the pictures")
}

/** Whether a view looks otherwise than on the committed picture. */
fun looksOtherwise(name: String, view: View, varying: List<Rect> = emptyList()) =
    differences(name, take(view), varying) > TOLERANCE

/** Where this view is in its window. */
fun View.place(): Rect {
    val (left, top) = IntArray(2).also(::getLocationInWindow)
    return Rect(left, top, left + width, top + height)
}

private val committed = File("../../docs/android")

/** A view at half its size. */
private fun take(view: View): Bitmap {
    val bitmap = Bitmap.createBitmap(view.width, view.height, Bitmap.Config.ARGB_8888)
    view.draw(Canvas(bitmap))
    return Bitmap.createScaledBitmap(bitmap, bitmap.width / 2, bitmap.height / 2, true)
}

/** How many pixels outside [varying] look different on the committed picture. */
private fun differences(name: String, taken: Bitmap, varying: List<Rect>): Int {
    val file = committed.resolve("$name.png")
    assertTrue(file.exists(), "there is no picture $name: run scripts/test-android-demo --renew-pictures, and look at it")
    val expected = BitmapFactory.decodeFile(file.path)
    assertEquals(expected.width to expected.height, taken.width to taken.height, "size of $name")
    val (here, there) = expected.pixels() to taken.pixels()
    return here.indices.count { index ->
        val (x, y) = 2 * (index % taken.width) to 2 * (index / taken.width)
        val (a, b) = here[index] to there[index]
        val distances = listOf(Color.red(a) - Color.red(b), Color.green(a) - Color.green(b), Color.blue(a) - Color.blue(b))
        distances.any { abs(it) > CHANNEL } && varying.none { it.contains(x, y) }
    }
}

private fun Bitmap.pixels() = IntArray(width * height).also { getPixels(it, 0, width, 0, 0, width, height) }

private fun Bitmap.save(folder: File, name: String) {
    folder.mkdirs()
    folder.resolve("$name.png").outputStream().use { compress(Bitmap.CompressFormat.PNG, 100, it) }
}
