package dev.nibble.keyboard

import android.graphics.Bitmap
import android.graphics.Canvas
import android.view.View
import java.io.File
import kotlin.test.assertTrue

/** Leaves a picture of a view, at half its size, for people to look at. */
fun picture(name: String, view: View) {
    val bitmap = Bitmap.createBitmap(view.width, view.height, Bitmap.Config.ARGB_8888)
    view.draw(Canvas(bitmap))
    val colours = HashSet<Int>()
    for (y in 0 until bitmap.height step 7) for (x in 0 until bitmap.width step 7) colours += bitmap.getPixel(x, y)
    assertTrue(colours.size > 8, "$name has ${colours.size} colours")
    val half = Bitmap.createScaledBitmap(bitmap, bitmap.width / 2, bitmap.height / 2, true)
    val folder = File(System.getProperty("nibble.screenshots")).apply { mkdirs() }
    folder.resolve("$name.png").outputStream().use { half.compress(Bitmap.CompressFormat.PNG, 100, it) }
}
