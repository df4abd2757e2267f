package dev.nibble.support

import dev.nibble.Action
import dev.nibble.EditorAction
import dev.nibble.EditorText
import dev.nibble.EditorUpdate
import dev.nibble.PositionUnit
import dev.nibble.Selection
import dev.nibble.TextEdit

/**
 * How a field reports.
 *
 * @property text whether reports carry the text, or only positions, as on Android
 * @property coalesced whether a report that was not fetched yet makes way for the next
 * @property batched whether all edits of a batch are reported as one
 * @property window scalar values that a window reaches on either side of the selection
 * @property unit unit of positions; null if the field has no absolute positions
 */
data class Reporting(
    val text: Boolean = true,
    val coalesced: Boolean = false,
    val batched: Boolean = true,
    val window: Int = Int.MAX_VALUE,
    val unit: PositionUnit? = PositionUnit.SCALAR,
)

/** A text field in memory that behaves as a platform's does. Positions count scalar values. */
class TextField(text: String = "", private val reporting: Reporting = Reporting(), private val limit: Int? = null) {
    private var scalars = text.scalars()
    private var start = scalars.size
    private var end = scalars.size
    private var marked: IntRange? = null
    private val reports = ArrayDeque<EditorUpdate>()
    private val answers = ArrayDeque<EditorUpdate>()
    val performed = mutableListOf<EditorAction>()

    val before get() = scalars.take(start).text()
    val selected get() = scalars.subList(start, end).text()
    val after get() = scalars.drop(end).text()
    val composing get() = marked?.let { range -> scalars.filterIndexed { index, _ -> index in range }.text() }.orEmpty()

    /** The window around the selection and the selection's positions, as the platform gives them. */
    fun read(): Pair<EditorText, Selection?> {
        val windowStart = maxOf(0, start - minOf(start, reporting.window))
        val text = EditorText(
            scalars.subList(windowStart, start).text(),
            selected,
            scalars.drop(end).take(reporting.window).text(),
            beforeCut = windowStart > 0,
            afterCut = scalars.size - end > reporting.window,
        )
        val selection = reporting.unit?.let { unit ->
            val from = before.lengthIn(unit)
            Selection(from, from + selected.lengthIn(unit))
        }
        return text to selection
    }

    /** Carries out the actions that concern the field. */
    fun apply(actions: List<Action>) {
        var edited = false
        for (action in actions) {
            when (action) {
                is Action.Edit -> {
                    edit(action.edit)
                    edited = true
                    if (!reporting.batched) report(reporting.text)
                }
                is Action.Compose -> marked = maxOf(0, start - action.text.scalars().size) until start
                Action.FinishComposing -> marked = null
                is Action.PerformAction -> performed += action.action
                is Action.ReadText -> {
                    val (text, selection) = read()
                    answers += EditorUpdate(text, selection, action.serial)
                }
                else -> {}
            }
        }
        if (edited && reporting.batched) report(reporting.text)
    }

    private fun edit(edit: TextEdit) {
        marked = null
        when (edit) {
            is TextEdit.Insert -> insert(edit.text)
            is TextEdit.Delete -> {
                val behind = minOf(edit.after.scalars().size, scalars.size - end)
                val ahead = minOf(edit.before.scalars().size, start)
                scalars = scalars.take(start - ahead) + scalars.subList(start, end) + scalars.drop(end + behind)
                start -= ahead
                end -= ahead
            }
            TextEdit.DeleteSelection -> insert("")
            TextEdit.PressBackspace -> {
                if (start == end) {
                    val last = Regex("\\X").findAll(before).lastOrNull()?.value.orEmpty()
                    start -= last.scalars().size
                }
                insert("")
            }
            is TextEdit.MoveCursor -> {
                start = (end + edit.by).coerceIn(0, scalars.size)
                end = start
            }
        }
    }

    /** Replaces the selection. */
    private fun insert(text: String) {
        val inserted = text.scalars()
        val length = scalars.size - (end - start) + inserted.size
        if (inserted.isNotEmpty() && limit != null && length > limit) return
        scalars = scalars.take(start) + inserted + scalars.drop(end)
        start += inserted.size
        end = start
    }

    /** Somebody else puts the cursor or a selection somewhere. */
    fun select(from: Int, to: Int) {
        start = minOf(from, scalars.size)
        end = to.coerceIn(start, scalars.size)
        // Among several changes that come as one, positions alone could cancel out.
        report(reporting.text || reporting.coalesced)
    }

    /** Somebody else inserts text in place of the selection. */
    fun paste(text: String) {
        marked = null
        insert(text)
        report(true)
    }

    /** Somebody else replaces the whole text. */
    fun setText(text: String, from: Int, to: Int) {
        marked = null
        scalars = text.scalars()
        start = minOf(from, scalars.size)
        end = to.coerceIn(start, scalars.size)
        report(true)
    }

    private fun report(withText: Boolean) {
        var carried = withText
        if (reporting.coalesced) {
            // Text that had to be reported still has to be.
            carried = carried || reports.any { it.text != null }
            reports.clear()
        }
        val (text, selection) = read()
        reports += EditorUpdate(text.takeIf { carried || selection == null }, selection)
    }

    /** The next answer to a question, which comes without delay. */
    fun nextAnswer(): EditorUpdate? = answers.removeFirstOrNull()

    /** The next report, as late as the caller likes. */
    fun nextReport(): EditorUpdate? = reports.removeFirstOrNull()
}

fun String.scalars(): List<Int> = codePoints().toArray().toList()

private fun List<Int>.text(): String = buildString { this@text.forEach(::appendCodePoint) }

private fun String.lengthIn(unit: PositionUnit): Int = if (unit == PositionUnit.UTF16) length else scalars().size
