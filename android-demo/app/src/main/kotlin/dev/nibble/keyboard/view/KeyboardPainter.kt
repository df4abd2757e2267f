package dev.nibble.keyboard.view

import android.graphics.Canvas
import android.graphics.Paint
import android.graphics.Path
import android.graphics.RectF
import android.graphics.Typeface
import android.text.TextPaint
import android.text.TextUtils
import dev.nibble.Slot
import dev.nibble.SuggestionKind
import kotlin.math.min

/** A sign that is drawn as lines, so that no font has to have it. */
enum class Icon { SHIFT, CAPS_LOCK, BACKSPACE, ENTER, SEARCH, FORWARD, DONE, EMOJI, LETTERS }

/** Draws the parts of the keyboard. Sizes follow the places that it is given and the user's font scale. */
class KeyboardPainter(private val density: Float) {
    private val fill = Paint(Paint.ANTI_ALIAS_FLAG)
    private val line = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        style = Paint.Style.STROKE
        strokeCap = Paint.Cap.ROUND
        strokeJoin = Paint.Join.ROUND
    }
    private val text = TextPaint(Paint.ANTI_ALIAS_FLAG).apply { textAlign = Paint.Align.CENTER }
    private val medium = Typeface.create("sans-serif-medium", Typeface.NORMAL)
    private val path = Path()
    private lateinit var canvas: Canvas
    private var scale = 1f

    /** The colours in use. */
    lateinit var colours: Colours
        private set

    /** Draws on this canvas from now on. */
    fun begin(canvas: Canvas, colours: Colours, fontScale: Float) {
        this.canvas = canvas
        this.colours = colours
        scale = fontScale.coerceIn(0.85f, 1.3f)
        line.strokeWidth = dp(1.8f)
    }

    private fun dp(value: Float) = value * density

    private fun cap(bounds: RectF, colour: Int) {
        val cap = RectF(bounds).apply { inset(dp(2.5f), dp(4f)) }
        fill.color = 0x22000000
        canvas.drawRoundRect(RectF(cap).apply { offset(0f, dp(1f)) }, dp(7f), dp(7f), fill)
        fill.color = colour
        canvas.drawRoundRect(cap, dp(7f), dp(7f), fill)
    }

    private fun label(label: String, x: Float, y: Float, size: Float, width: Float, colour: Int, face: Typeface? = null) {
        text.typeface = face
        text.color = colour
        text.textSize = size * scale
        val natural = text.measureText(label)
        // Rather smaller than cut, and rather cut than unreadable.
        if (natural > width) text.textSize *= maxOf(SMALLEST, ROUNDING * width / natural)
        val shown = TextUtils.ellipsize(label, text, width, TextUtils.TruncateAt.MIDDLE).toString()
        canvas.drawText(shown, x, y - (text.ascent() + text.descent()) / 2, text)
    }

    /** A key that types [label]. */
    fun key(bounds: RectF, label: String, isPressed: Boolean, isEmoji: Boolean) {
        if (!isEmoji) cap(bounds, if (isPressed) colours.pressed else colours.key)
        val size = min(bounds.height() * 0.42f, dp(24f))
        label(label, bounds.centerX(), bounds.centerY(), if (isEmoji) size * 1.1f else size, bounds.width() - dp(4f), colours.text)
    }

    /** A key that shows something else. */
    fun functionKey(bounds: RectF, label: String, isPressed: Boolean, isActive: Boolean) {
        cap(bounds, if (isPressed || isActive) colours.pressed else colours.functionKey)
        label(label, bounds.centerX(), bounds.centerY(), dp(16f), bounds.width() - dp(6f), colours.text, medium)
    }

    /** The space bar, with ghost text where there is some. */
    fun space(bounds: RectF, label: String, ghost: String, isPressed: Boolean) {
        cap(bounds, if (isPressed) colours.pressed else colours.key)
        if (ghost.isEmpty()) {
            label(label, bounds.centerX(), bounds.centerY(), dp(14f), bounds.width() - dp(24f), colours.faint)
            return
        }
        val arrow = dp(22f)
        label(ghost.trim(), bounds.centerX() - arrow / 2, bounds.centerY(), dp(15f), bounds.width() - arrow - dp(24f), colours.accent, medium)
        icon(Icon.FORWARD, bounds.right - dp(20f), bounds.centerY(), dp(6f), colours.accent)
    }

    /** A key with a sign; filled with the accent where it is active. */
    fun icon(bounds: RectF, icon: Icon, isPressed: Boolean, isActive: Boolean) {
        cap(bounds, if (isPressed) colours.pressed else if (isActive) colours.accent else colours.functionKey)
        val colour = if (isActive && !isPressed) colours.onAccent else colours.text
        icon(icon, bounds.centerX(), bounds.centerY(), dp(9f), colour)
    }

    /** The button beside the strip. */
    fun button(bounds: RectF, icon: Icon, isPressed: Boolean) {
        if (isPressed) highlight(bounds)
        if (icon == Icon.LETTERS) {
            label("abc", bounds.centerX(), bounds.centerY(), dp(15f), bounds.width(), colours.faint, medium)
        } else {
            icon(icon, bounds.centerX(), bounds.centerY(), dp(10f), colours.faint)
        }
    }

    private fun highlight(bounds: RectF) {
        fill.color = colours.pressed
        canvas.drawRoundRect(RectF(bounds).apply { inset(dp(3f), dp(6f)) }, dp(8f), dp(8f), fill)
    }

    /** A slot of the strip. The one that the space bar will put in place of the typed word is marked. */
    fun slot(bounds: RectF, slot: Slot, isHighlighted: Boolean, hasLine: Boolean, isPressed: Boolean) {
        if (isPressed) highlight(bounds)
        if (hasLine) {
            line.color = colours.functionKey
            canvas.drawLine(bounds.left, bounds.top + dp(14f), bounds.left, bounds.bottom - dp(14f), line)
        }
        if (isHighlighted) {
            fill.color = colours.accent
            canvas.drawRoundRect(RectF(bounds).apply { inset(dp(6f), dp(8f)) }, dp(16f), dp(16f), fill)
        }
        val shown = if (slot.kind == SuggestionKind.TYPED) "“${slot.text}”" else slot.text
        val colour = when {
            isHighlighted -> colours.onAccent
            slot.kind == SuggestionKind.TYPED -> colours.faint
            else -> colours.text
        }
        val face = if (isHighlighted) medium else null
        label(shown, bounds.centerX(), bounds.centerY(), dp(17f), bounds.width() - dp(20f), colour, face)
    }

    /** The pressed key once more, above the finger. */
    fun popup(bounds: RectF, label: String, width: Int) {
        val half = maxOf(bounds.width(), dp(40f)) / 2 + dp(2f)
        val x = bounds.centerX().coerceIn(half, width - half)
        val bottom = bounds.top + dp(6f)
        val box = RectF(x - half, maxOf(0f, bottom - dp(56f)), x + half, bottom)
        sheet(box)
        label(label, x, box.centerY(), dp(28f), box.width(), colours.text)
    }

    private fun sheet(box: RectF) {
        fill.color = 0x33000000
        canvas.drawRoundRect(RectF(box).apply { inset(-dp(1f), -dp(1f)); offset(0f, dp(2f)) }, dp(11f), dp(11f), fill)
        fill.color = colours.popup
        canvas.drawRoundRect(box, dp(10f), dp(10f), fill)
    }

    /** Characters to choose from. */
    fun choice(bounds: RectF, choices: List<String>, chosen: Int) {
        sheet(bounds)
        val cell = bounds.width() / choices.size
        choices.forEachIndexed { index, choice ->
            val x = bounds.left + (index + 0.5f) * cell
            if (index == chosen) {
                fill.color = colours.accent
                canvas.drawRoundRect(RectF(x - cell / 2, bounds.top, x + cell / 2, bounds.bottom).apply { inset(dp(3f), dp(3f)) }, dp(8f), dp(8f), fill)
            }
            label(choice, x, bounds.centerY(), dp(22f), cell, if (index == chosen) colours.onAccent else colours.text)
        }
    }

    /** Draws a sign around a point; [size] is half its height. */
    private fun icon(icon: Icon, x: Float, y: Float, size: Float, colour: Int) {
        line.color = colour
        line.style = Paint.Style.STROKE
        path.reset()
        fun to(vararg points: Pair<Float, Float>) = points.forEachIndexed { index, (dx, dy) ->
            if (index == 0) path.moveTo(x + dx * size, y + dy * size) else path.lineTo(x + dx * size, y + dy * size)
        }
        when (icon) {
            Icon.SHIFT, Icon.CAPS_LOCK -> {
                to(0f to -1f, 1f to 0.1f, 0.45f to 0.1f, 0.45f to 0.7f, -0.45f to 0.7f, -0.45f to 0.1f, -1f to 0.1f)
                path.close()
                if (icon == Icon.CAPS_LOCK) to(-0.5f to 1.15f, 0.5f to 1.15f)
            }
            Icon.BACKSPACE -> {
                to(-1.3f to 0f, -0.6f to -0.75f, 1.2f to -0.75f, 1.2f to 0.75f, -0.6f to 0.75f)
                path.close()
                to(-0.15f to -0.3f, 0.55f to 0.3f)
                to(-0.15f to 0.3f, 0.55f to -0.3f)
            }
            Icon.ENTER -> {
                to(1f to -0.8f, 1f to 0.2f, -1f to 0.2f)
                to(-0.4f to -0.4f, -1f to 0.2f, -0.4f to 0.8f)
            }
            Icon.FORWARD -> {
                to(-1f to 0f, 1f to 0f)
                to(0.35f to -0.65f, 1f to 0f, 0.35f to 0.65f)
            }
            Icon.DONE -> to(-0.9f to 0.05f, -0.25f to 0.7f, 0.95f to -0.65f)
            Icon.SEARCH -> {
                path.addCircle(x - size * 0.15f, y - size * 0.15f, size * 0.65f, Path.Direction.CW)
                to(0.35f to 0.35f, 0.95f to 0.95f)
            }
            Icon.EMOJI -> {
                path.addCircle(x, y, size, Path.Direction.CW)
                path.addArc(RectF(x - size * 0.5f, y - size * 0.35f, x + size * 0.5f, y + size * 0.6f), 15f, 150f)
                for (eye in listOf(-0.35f, 0.35f)) path.addCircle(x + eye * size, y - size * 0.25f, size * 0.06f, Path.Direction.CW)
            }
            Icon.LETTERS -> {}
        }
        canvas.drawPath(path, line)
    }

    private companion object {
        /** Part of its size that a label shrinks to at most. */
        const val SMALLEST = 0.5f

        /** Widths of letters do not shrink quite as their size does. */
        const val ROUNDING = 0.95f
    }
}
