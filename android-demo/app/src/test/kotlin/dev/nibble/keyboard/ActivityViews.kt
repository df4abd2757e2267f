package dev.nibble.keyboard

import android.app.Activity
import android.os.Looper
import android.view.View
import android.view.ViewGroup
import android.widget.TextView
import org.robolectric.Robolectric
import org.robolectric.Shadows.shadowOf

// What a user finds on a page of the app, and does there.

inline fun <reified A : Activity> open(): A = Robolectric.buildActivity(A::class.java).setup().get()

private fun View.all(): Sequence<View> = sequence {
    yield(this@all)
    if (this@all is ViewGroup) for (index in 0 until childCount) yieldAll(getChildAt(index).all())
}

fun Activity.views() = window.decorView.all()

fun Activity.click(text: String) {
    views().filterIsInstance<TextView>().first { it.text.toString() == text && it.isShown && it.isEnabled }.performClick()
    idle()
}

fun Activity.click(text: Int) = click(getString(text))

fun Activity.says(text: String) = views().filterIsInstance<TextView>().any { it.isShown && text in it.text }

/** Everything that is due on the main thread happens. */
fun idle() = shadowOf(Looper.getMainLooper()).idle()

/** Waits in real time, while the main thread goes on. */
fun await(what: String, condition: () -> Boolean) {
    val end = System.nanoTime() + 60_000_000_000
    while (!condition()) {
        check(System.nanoTime() < end) { "no $what" }
        Thread.sleep(1)
        idle()
    }
}
