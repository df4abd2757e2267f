package dev.nibble.keyboard

import dev.nibble.LayoutPage
import dev.nibble.ShiftState
import dev.nibble.Strip

/** A screen for tests that look at the field alone. */
object UnseenScreen : KeyboardScreen {
    override fun showStrip(strip: Strip) = Unit
    override fun showShift(state: ShiftState) = Unit
    override fun showPage(page: LayoutPage) = Unit
    override fun showGhost(text: String) = Unit
}
