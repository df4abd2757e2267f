package dev.nibble.keyboard.view

import android.annotation.SuppressLint
import android.content.Context
import android.graphics.Canvas
import android.graphics.RectF
import android.view.HapticFeedbackConstants
import android.view.MotionEvent
import android.view.View
import android.view.accessibility.AccessibilityNodeProvider
import dev.nibble.EditorAction
import dev.nibble.Event
import dev.nibble.GhostPart
import dev.nibble.Key
import dev.nibble.KeyAction
import dev.nibble.Layout
import dev.nibble.LayoutPage
import dev.nibble.ShiftState
import dev.nibble.Strip
import dev.nibble.Tap
import dev.nibble.keyboard.KeyboardScreen
import dev.nibble.keyboard.R
import kotlin.math.abs
import kotlin.math.min

/**
 * The keyboard: a strip of suggestions over a page of keys. It turns touches into events, draws what it is told to and
 * knows no rule of typing. All keys are drawn, none is a view of its own.
 *
 * @param onEvent what the user did
 */
@SuppressLint("ViewConstructor") // Never inflated.
class KeyboardView(context: Context, private val onEvent: (Event) -> Unit) : View(context), KeyboardScreen {

    /** Something that can be touched, with its place in pixels. */
    sealed interface Target {
        val bounds: RectF
    }

    /** A key of the page. */
    class KeyTarget(val key: Key, override val bounds: RectF) : Target

    /** A slot of the strip of this serial: the strip may be another one before the finger leaves. */
    class SlotTarget(val serial: Long, val index: Int, override val bounds: RectF) : Target

    /** The button beside the strip that shows the emoji, or the letters again. */
    class EmojiTarget(override val bounds: RectF) : Target

    /** A finger on the keyboard. */
    private class Touch(var target: Target?, val x: Float, val y: Float) {
        /** Whether lifting the finger does nothing more. */
        var isDone = false

        /** Characters to choose from, after a long press. */
        var accents: List<String> = emptyList()
        var accent = 0
        var cursorSteps = 0
        var hasMoved = false
        var accepts: GhostPart? = null
        var longPress: Runnable? = null
    }

    private val density = resources.displayMetrics.density
    private val touches = LinkedHashMap<Int, Touch>()
    private var emojiGroup = 0
    private var page = LayoutPage.LETTERS

    /** The shift key as it is drawn. */
    var shift = ShiftState.OFF
        private set

    /** The strip as it is drawn. */
    var strip = Strip(0, emptyList(), null)
        private set

    /** The ghost text as it is drawn. */
    var ghost = ""
        private set
    private val painter = KeyboardPainter(density)

    /**
     * Everything that can be touched now. The slots come last, because a screen reader knows all by their index, and
     * there are more or fewer slots after every key.
     */
    var targets: List<Target> = emptyList()
        private set

    /** The keys. */
    var layout: Layout = Layout.builtin("qwerty")
        set(value) {
            field = value
            arrange()
        }

    /** What the space bar says while there is no ghost text. */
    var spaceLabel = ""
        set(value) {
            field = value
            invalidate()
        }

    /** What the enter key does; null for a new line. */
    var enterAction: EditorAction? = null
        set(value) {
            field = value
            invalidate()
        }

    /** Whether keys are felt. */
    var isHaptic = true

    init {
        isFocusable = false
        importantForAccessibility = IMPORTANT_FOR_ACCESSIBILITY_YES
        contentDescription = resources.getString(R.string.app_name)
    }

    private val nodes = KeyNodes(this)

    override fun showStrip(strip: Strip) {
        this.strip = strip
        arrange()
    }

    override fun showShift(state: ShiftState) {
        shift = state
        invalidate()
    }

    override fun showPage(page: LayoutPage) {
        this.page = page
        arrange()
    }

    override fun showGhost(text: String) {
        ghost = text
        invalidate()
    }

    /** What a test, or a screen reader, finds at a key: the target of an action on this page. */
    fun keyTarget(action: KeyAction): KeyTarget? =
        targets.filterIsInstance<KeyTarget>().firstOrNull { it.key.action == action }

    // ---- Sizes ----

    private fun dp(value: Float) = value * density

    private val rowHeight: Float
        get() = if (resources.configuration.smallestScreenWidthDp >= TABLET_DP) dp(64f) else {
            if (resources.configuration.screenHeightDp >= 480) dp(54f) else dp(48f)
        }
    private val stripHeight get() = dp(48f)

    override fun onMeasure(widthSpec: Int, heightSpec: Int) {
        val width = MeasureSpec.getSize(widthSpec)
        setMeasuredDimension(width, (stripHeight + ROWS * rowHeight + dp(4f)).toInt())
    }

    override fun onSizeChanged(width: Int, height: Int, oldWidth: Int, oldHeight: Int) = arrange()

    /** Places everything that can be touched. */
    private fun arrange() {
        if (width == 0) return
        val found = mutableListOf<Target>()
        val button = dp(48f)
        found += EmojiTarget(RectF(0f, 0f, button, stripHeight))
        val shown = pageOf(layout, page, emojiGroup)
        val used = min(width.toFloat(), dp(WIDEST_DP))
        val unit = used / shown.width
        val left = (width - used) / 2
        val down = ROWS * rowHeight / shown.height
        for (key in shown.keys) {
            val (x, y) = left + key.x * unit to stripHeight + key.y * down
            val (w, h) = key.width * unit / 2 to key.height * down / 2
            found += KeyTarget(key, RectF(x - w, y - h, x + w, y + h))
        }
        val slotWidth = (width - button) / maxOf(strip.slots.size, 3)
        strip.slots.indices.mapTo(found) {
            SlotTarget(strip.serial, it, RectF(button + it * slotWidth, 0f, button + (it + 1) * slotWidth, stripHeight))
        }
        targets = found
        nodes.changed()
        invalidate()
    }

    /** What a touch at this point means: in gaps and beyond edges the nearest key. */
    private fun targetAt(x: Float, y: Float): Target? {
        targets.firstOrNull { it.bounds.contains(x, y) }?.let { return it }
        if (y < stripHeight) return null
        return targets.filterIsInstance<KeyTarget>().minByOrNull {
            val (dx, dy) = abs(x - it.bounds.centerX()) to abs(y - it.bounds.centerY())
            maxOf(0f, dx - it.bounds.width() / 2) + maxOf(0f, dy - it.bounds.height() / 2)
        }
    }

    /** A point on a key in the units of the layout. */
    private fun tap(target: KeyTarget, x: Float, y: Float): Tap {
        val (key, bounds) = target.key to target.bounds
        return Tap(
            key.x + (x - bounds.centerX()) / bounds.width() * key.width,
            key.y + (y - bounds.centerY()) / bounds.height() * key.height,
        )
    }

    private fun accentBounds(target: KeyTarget, count: Int): RectF {
        val cell = maxOf(dp(40f), min(target.bounds.width(), dp(48f)))
        val all = cell * count
        val left = (target.bounds.centerX() - cell / 2).coerceIn(dp(4f), maxOf(dp(4f), width - all - dp(4f)))
        // Within the view: above the uppermost keys there is only the strip.
        val top = maxOf(dp(1f), target.bounds.top - dp(52f))
        return RectF(left, top, left + all, top + dp(48f))
    }

    private fun accentAt(target: KeyTarget, count: Int, x: Float): Int {
        val bounds = accentBounds(target, count)
        return ((x - bounds.left) / (bounds.width() / count)).toInt().coerceIn(0, count - 1)
    }

    // ---- Drawing ----

    override fun onDraw(canvas: Canvas) {
        painter.begin(canvas, Colours.of(resources.configuration), resources.configuration.fontScale)
        canvas.drawColor(painter.colours.background)
        val pressed = touches.values.filter { it.accents.isEmpty() }.mapNotNull { it.target }
        for (target in targets) {
            val isPressed = target in pressed
            when (target) {
                is EmojiTarget -> painter.button(target.bounds, if (page == LayoutPage.EMOJI) Icon.LETTERS else Icon.EMOJI, isPressed)
                is SlotTarget -> strip.slots.getOrNull(target.index)?.let {
                    painter.slot(target.bounds, it, target.index == strip.highlighted, target.index > 0, isPressed)
                }
                is KeyTarget -> key(target, isPressed)
            }
        }
        for (touch in touches.values) {
            val target = touch.target as? KeyTarget ?: continue
            when {
                touch.accents.isNotEmpty() -> painter.choice(
                    accentBounds(target, touch.accents.size),
                    touch.accents.map(::cased),
                    touch.accent,
                )
                touch.isDone || target.key.action == SPACE -> {}
                target.key.action is KeyAction.Character && page != LayoutPage.EMOJI -> painter.popup(target.bounds, label(target.key), width)
            }
        }
    }

    private fun key(target: KeyTarget, isPressed: Boolean) {
        val key = target.key
        val bounds = target.bounds
        when (key.action) {
            SPACE -> painter.space(bounds, spaceLabel, ghost, isPressed)
            is KeyAction.Character -> {
                val isGroup = emojiGroupOf(page, key)
                if (isGroup != null) {
                    painter.functionKey(bounds, label(key), isPressed, isActive = isGroup == emojiGroup)
                } else {
                    painter.key(bounds, label(key), isPressed, page == LayoutPage.EMOJI)
                }
            }
            KeyAction.Shift -> painter.icon(bounds, if (shift == ShiftState.LOCKED) Icon.CAPS_LOCK else Icon.SHIFT, isPressed, shift != ShiftState.OFF)
            KeyAction.Backspace -> painter.icon(bounds, Icon.BACKSPACE, isPressed, false)
            KeyAction.Enter -> painter.icon(bounds, enterIcon, isPressed, true)
            is KeyAction.ShowPage -> painter.functionKey(bounds, label(key), isPressed, isActive = false)
        }
    }

    private val enterIcon
        get() = when (enterAction) {
            EditorAction.SEARCH -> Icon.SEARCH
            EditorAction.GO, EditorAction.NEXT, EditorAction.SEND -> Icon.FORWARD
            EditorAction.DONE -> Icon.DONE
            else -> Icon.ENTER
        }

    private fun cased(text: String) = if (shift == ShiftState.OFF || text.length != 1) text else text.uppercase()

    /** What stands on a key. */
    private fun label(key: Key): String = when (val action = key.action) {
        is KeyAction.Character -> if (page == LayoutPage.LETTERS) cased(action.text) else action.text
        is KeyAction.ShowPage -> when (action.page) {
            LayoutPage.LETTERS -> resources.getString(R.string.key_letters)
            LayoutPage.SYMBOLS -> resources.getString(R.string.key_symbols)
            LayoutPage.MORE_SYMBOLS -> resources.getString(R.string.key_more_symbols)
            LayoutPage.NUMBERS -> resources.getString(R.string.key_numbers)
            LayoutPage.EMOJI -> emojiGroups.first().sign
        }
        else -> ""
    }

    // ---- Screen readers ----

    override fun getAccessibilityNodeProvider(): AccessibilityNodeProvider = nodes

    override fun dispatchHoverEvent(event: MotionEvent): Boolean {
        val target = if (event.actionMasked == MotionEvent.ACTION_HOVER_EXIT) null else targetAt(event.x, event.y)
        nodes.hover(target?.let(targets::indexOf) ?: -1)
        return true
    }

    /** What a screen reader says of a target. */
    fun describe(target: Target): String = when (target) {
        is EmojiTarget -> resources.getString(if (page == LayoutPage.EMOJI) R.string.speak_letters else R.string.speak_emoji)
        is SlotTarget -> strip.slots.getOrNull(target.index)?.let {
            val isPending = target.index == strip.highlighted
            resources.getString(if (isPending) R.string.speak_correction else R.string.speak_suggestion, it.text)
        }.orEmpty()
        is KeyTarget -> when (val action = target.key.action) {
            SPACE -> if (ghost.isEmpty()) resources.getString(R.string.speak_space) else resources.getString(R.string.speak_space_ghost, ghost)
            is KeyAction.Character -> label(target.key)
            KeyAction.Shift -> resources.getString(if (shift == ShiftState.LOCKED) R.string.speak_caps_lock else R.string.speak_shift)
            KeyAction.Backspace -> resources.getString(R.string.speak_backspace)
            KeyAction.Enter -> resources.getString(
                when (enterAction) {
                    EditorAction.SEARCH -> R.string.speak_search
                    EditorAction.SEND -> R.string.speak_send
                    EditorAction.GO -> R.string.speak_go
                    EditorAction.NEXT -> R.string.speak_next
                    EditorAction.DONE -> R.string.speak_done
                    else -> R.string.speak_enter
                },
            )
            is KeyAction.ShowPage -> resources.getString(if (action.page == LayoutPage.LETTERS) R.string.speak_letters else R.string.speak_symbols)
        }
    }

    // ---- Touches ----

    override fun onTouchEvent(event: MotionEvent): Boolean {
        val index = event.actionIndex
        when (event.actionMasked) {
            MotionEvent.ACTION_DOWN, MotionEvent.ACTION_POINTER_DOWN -> {
                // Two thumbs overlap: the first key counts before the second.
                touches.values.filter { !it.isDone }.forEach { lift(it) }
                down(event.getPointerId(index), event.getX(index), event.getY(index))
            }
            MotionEvent.ACTION_MOVE -> for (pointer in 0 until event.pointerCount) {
                touches[event.getPointerId(pointer)]?.let { move(it, event.getX(pointer), event.getY(pointer)) }
            }
            MotionEvent.ACTION_UP, MotionEvent.ACTION_POINTER_UP -> touches.remove(event.getPointerId(index))?.let {
                if (!it.isDone) move(it, event.getX(index), event.getY(index))
                lift(it)
            }
            MotionEvent.ACTION_CANCEL -> {
                touches.values.forEach { touch -> touch.longPress?.let(::removeCallbacks) }
                touches.clear()
            }
        }
        invalidate()
        return true
    }

    private fun down(pointer: Int, x: Float, y: Float) {
        val touch = Touch(targetAt(x, y), x, y)
        touches[pointer] = touch
        val target = touch.target ?: return
        if (isHaptic) performHapticFeedback(HapticFeedbackConstants.KEYBOARD_TAP)
        val key = (target as? KeyTarget)?.key ?: return
        if (key.action == KeyAction.Backspace) {
            onEvent(Event.Backspace)
            touch.isDone = true
            later(touch, LONG_PRESS_MS) { repeatBackspace(touch) }
        } else if (key.longPress.isNotEmpty()) {
            later(touch, LONG_PRESS_MS) {
                touch.accents = key.longPress
                invalidate()
            }
        }
    }

    private fun repeatBackspace(touch: Touch) {
        onEvent(Event.Backspace)
        later(touch, REPEAT_MS) { repeatBackspace(touch) }
    }

    private fun later(touch: Touch, delay: Long, action: () -> Unit) {
        touch.longPress?.let(::removeCallbacks)
        touch.longPress = Runnable(action).also { postDelayed(it, delay) }
    }

    private fun move(touch: Touch, x: Float, y: Float) {
        if (touch.isDone) return
        val target = touch.target
        if (touch.accents.isNotEmpty() && target is KeyTarget) {
            touch.accent = accentAt(target, touch.accents.size, x)
            return
        }
        if (target is KeyTarget && target.key.action == SPACE) {
            val dx = x - touch.x
            if (!touch.hasMoved && abs(dx) < dp(SWIPE_DP)) return
            touch.hasMoved = true
            if (ghost.isNotEmpty() && dx > 0 && touch.cursorSteps == 0) {
                // Ghost text is accepted when the finger leaves: a long swipe takes all of it.
                touch.accepts = if (dx > target.bounds.width() / 2) GhostPart.ALL else GhostPart.WORD
                return
            }
            touch.accepts = null
            val steps = (dx / dp(CURSOR_STEP_DP)).toInt()
            if (steps != touch.cursorSteps) onEvent(Event.MoveCursor(steps - touch.cursorSteps))
            touch.cursorSteps = steps
            return
        }
        if (target != null && !target.bounds.contains(x, y)) {
            val next = targetAt(x, y)
            // What began on a key means a key, however far the finger drifts.
            if (next === target || target is KeyTarget && next !is KeyTarget) return
            touch.longPress?.let(::removeCallbacks)
            touch.target = next
        }
    }

    private fun lift(touch: Touch) {
        touch.longPress?.let(::removeCallbacks)
        if (touch.isDone) return
        touch.isDone = true
        val target = touch.target ?: return
        if (touch.accents.isNotEmpty()) {
            onEvent(Event.Character(touch.accents[touch.accent]))
        } else if (touch.hasMoved) {
            touch.accepts?.let { onEvent(Event.AcceptGhost(it)) }
        } else {
            press(target, if (target is KeyTarget) tapOf(target, touch) else null)
        }
    }

    /** The point where the finger came down, if that is on the key that it left. */
    private fun tapOf(target: KeyTarget, touch: Touch): Tap? =
        tap(target, touch.x, touch.y).takeIf { target.bounds.contains(touch.x, touch.y) }

    /** Does what a target is for. */
    fun press(target: Target, tap: Tap? = null) {
        when (target) {
            is SlotTarget -> onEvent(Event.TapSuggestion(target.serial, target.index))
            is EmojiTarget -> onEvent(Event.Layout(if (page == LayoutPage.EMOJI) LayoutPage.LETTERS else LayoutPage.EMOJI))
            is KeyTarget -> {
                val group = emojiGroupOf(page, target.key)
                if (group != null) {
                    emojiGroup = group
                    arrange()
                    return
                }
                when (val action = target.key.action) {
                    SPACE -> onEvent(Event.Space)
                    is KeyAction.Character -> onEvent(Event.Character(action.text, tap.takeIf { page == LayoutPage.LETTERS }))
                    KeyAction.Shift -> onEvent(Event.Shift)
                    KeyAction.Backspace -> onEvent(Event.Backspace)
                    KeyAction.Enter -> onEvent(Event.Enter)
                    is KeyAction.ShowPage -> onEvent(Event.Layout(action.page))
                }
            }
        }
    }

    companion object {
        private val SPACE = KeyAction.Character(" ")
        private const val ROWS = 4
        private const val TABLET_DP = 600
        private const val WIDEST_DP = 900f
        private const val LONG_PRESS_MS = 400L
        private const val REPEAT_MS = 50L
        private const val SWIPE_DP = 24f
        private const val CURSOR_STEP_DP = 12f
    }
}
