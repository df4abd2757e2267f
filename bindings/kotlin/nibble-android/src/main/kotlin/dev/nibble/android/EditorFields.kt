package dev.nibble.android

import android.os.Build
import android.text.InputType
import android.view.inputmethod.EditorInfo
import android.view.inputmethod.InputConnection
import dev.nibble.CapitalsMode
import dev.nibble.EditorAction
import dev.nibble.EditorText
import dev.nibble.FieldFocus
import dev.nibble.FieldKind
import dev.nibble.KeyboardSettings
import dev.nibble.PositionUnit
import dev.nibble.Selection

/**
 * The kind of a field, as far as typing differs. Secret beats incognito, and incognito everything else.
 *
 * A field without text of its own, such as a terminal's, is secret: a password may be asked for in it, and what is not
 * known of it can only be deleted by the key. One that wants no suggestions is incognito: codes and names are no words.
 */
public fun fieldKindOf(info: EditorInfo): FieldKind = when {
    !takesText(info) || isPassword(info.inputType) -> FieldKind.PASSWORD
    isIncognito(info) -> when (val kind = openKindOf(info)) {
        // Nothing is learned in these anyway.
        FieldKind.URL, FieldKind.NUMBER -> kind
        else -> FieldKind.NO_LEARNING
    }
    else -> openKindOf(info)
}

private fun isPassword(inputType: Int): Boolean {
    val variation = inputType and InputType.TYPE_MASK_VARIATION
    return when (inputType and InputType.TYPE_MASK_CLASS) {
        InputType.TYPE_CLASS_TEXT -> variation in listOf(
            InputType.TYPE_TEXT_VARIATION_PASSWORD,
            InputType.TYPE_TEXT_VARIATION_VISIBLE_PASSWORD,
            InputType.TYPE_TEXT_VARIATION_WEB_PASSWORD,
        )
        InputType.TYPE_CLASS_NUMBER -> variation == InputType.TYPE_NUMBER_VARIATION_PASSWORD
        else -> false
    }
}

private fun isIncognito(info: EditorInfo) =
    info.imeOptions and EditorInfo.IME_FLAG_NO_PERSONALIZED_LEARNING != 0 ||
        info.hasTextFlag(InputType.TYPE_TEXT_FLAG_NO_SUGGESTIONS)

/** The kind of a field that is not secret. */
private fun openKindOf(info: EditorInfo): FieldKind {
    when (info.inputType and InputType.TYPE_MASK_CLASS) {
        InputType.TYPE_CLASS_NUMBER, InputType.TYPE_CLASS_PHONE, InputType.TYPE_CLASS_DATETIME -> return FieldKind.NUMBER
    }
    return when (info.textVariation) {
        InputType.TYPE_TEXT_VARIATION_URI,
        InputType.TYPE_TEXT_VARIATION_EMAIL_ADDRESS,
        InputType.TYPE_TEXT_VARIATION_WEB_EMAIL_ADDRESS,
        -> FieldKind.URL
        // A long message is what Android calls the body of an e-mail.
        InputType.TYPE_TEXT_VARIATION_EMAIL_SUBJECT, InputType.TYPE_TEXT_VARIATION_LONG_MESSAGE -> FieldKind.EMAIL
        InputType.TYPE_TEXT_VARIATION_FILTER -> FieldKind.SEARCH
        else -> if (actionOf(info) == EditorAction.SEARCH) FieldKind.SEARCH else FieldKind.MESSAGE
    }
}

/** The variation of a field of text; 0 for others. */
private val EditorInfo.textVariation
    get() = when (inputType and InputType.TYPE_MASK_CLASS) {
        InputType.TYPE_CLASS_TEXT -> inputType and InputType.TYPE_MASK_VARIATION
        else -> 0
    }

private fun EditorInfo.hasTextFlag(flag: Int) =
    inputType and InputType.TYPE_MASK_CLASS == InputType.TYPE_CLASS_TEXT && inputType and flag != 0

/** Whether the field has text of its own at all; where not, a keyboard only sends keys. */
public fun takesText(info: EditorInfo): Boolean = info.inputType != InputType.TYPE_NULL

/** Capitals that the field asks for. */
public fun capitalsModeOf(info: EditorInfo): CapitalsMode = when {
    info.hasTextFlag(InputType.TYPE_TEXT_FLAG_CAP_CHARACTERS) -> CapitalsMode.CHARACTERS
    info.hasTextFlag(InputType.TYPE_TEXT_FLAG_CAP_WORDS) -> CapitalsMode.WORDS
    info.hasTextFlag(InputType.TYPE_TEXT_FLAG_CAP_SENTENCES) -> CapitalsMode.SENTENCES
    // Some fields set no flag and ask for a capital at their start all the same.
    info.initialCapsMode and InputType.TYPE_TEXT_FLAG_CAP_CHARACTERS != 0 -> CapitalsMode.CHARACTERS
    info.initialCapsMode and InputType.TYPE_TEXT_FLAG_CAP_WORDS != 0 -> CapitalsMode.WORDS
    info.initialCapsMode and InputType.TYPE_TEXT_FLAG_CAP_SENTENCES != 0 -> CapitalsMode.SENTENCES
    else -> CapitalsMode.NEVER
}

/**
 * What enter does in a field of one line. Where the app gave the action a label and a number of its own
 * ([EditorInfo.actionId]), perform that number for [EditorAction.DEFAULT]: [performedActionOf] knows it.
 */
public fun actionOf(info: EditorInfo): EditorAction = when {
    info.actionLabel != null && info.actionId != 0 -> EditorAction.DEFAULT
    else -> when (info.imeOptions and EditorInfo.IME_MASK_ACTION) {
        EditorInfo.IME_ACTION_GO -> EditorAction.GO
        EditorInfo.IME_ACTION_SEARCH -> EditorAction.SEARCH
        EditorInfo.IME_ACTION_SEND -> EditorAction.SEND
        EditorInfo.IME_ACTION_NEXT -> EditorAction.NEXT
        EditorInfo.IME_ACTION_PREVIOUS -> EditorAction.PREVIOUS
        EditorInfo.IME_ACTION_DONE -> EditorAction.DONE
        else -> EditorAction.DEFAULT
    }
}

/** The number to give to [InputConnection.performEditorAction] for an action in this field. */
public fun performedActionOf(info: EditorInfo, action: EditorAction): Int = when (action) {
    EditorAction.GO -> EditorInfo.IME_ACTION_GO
    EditorAction.SEARCH -> EditorInfo.IME_ACTION_SEARCH
    EditorAction.SEND -> EditorInfo.IME_ACTION_SEND
    EditorAction.NEXT -> EditorInfo.IME_ACTION_NEXT
    EditorAction.PREVIOUS -> EditorInfo.IME_ACTION_PREVIOUS
    EditorAction.DONE -> EditorInfo.IME_ACTION_DONE
    EditorAction.DEFAULT -> when {
        info.actionLabel != null && info.actionId != 0 -> info.actionId
        else -> info.imeOptions and EditorInfo.IME_MASK_ACTION
    }
}

/**
 * Whether enter begins a new line: in a field of several lines, unless it asks for its action there. A chat that sends
 * with the enter key does so by leaving `IME_FLAG_NO_ENTER_ACTION` off.
 */
public fun beginsNewLine(info: EditorInfo): Boolean {
    if (info.imeOptions and EditorInfo.IME_FLAG_NO_ENTER_ACTION != 0) return true
    if (!info.hasTextFlag(InputType.TYPE_TEXT_FLAG_MULTI_LINE)) return false
    return when (info.imeOptions and EditorInfo.IME_MASK_ACTION) {
        EditorInfo.IME_ACTION_UNSPECIFIED, EditorInfo.IME_ACTION_NONE -> info.actionLabel == null
        else -> false
    }
}

/** Whether the field wants words suggested. */
public fun wantsSuggestions(info: EditorInfo): Boolean =
    takesText(info) &&
        !info.hasTextFlag(InputType.TYPE_TEXT_FLAG_NO_SUGGESTIONS) &&
        fieldKindOf(info) !in listOf(FieldKind.PASSWORD, FieldKind.NUMBER)

/**
 * Whether mistyped words may be replaced: not where the field wants no suggestions, completes by itself, or holds
 * addresses, names or a list's filter, which are no words of a language.
 */
public fun allowsAutocorrect(info: EditorInfo): Boolean =
    wantsSuggestions(info) &&
        fieldKindOf(info) != FieldKind.URL &&
        !info.hasTextFlag(InputType.TYPE_TEXT_FLAG_AUTO_COMPLETE) &&
        info.textVariation !in listOf(InputType.TYPE_TEXT_VARIATION_PERSON_NAME, InputType.TYPE_TEXT_VARIATION_FILTER)

/** The user's settings as far as this field allows them: for `Event.Configure`, before the field's focus. */
public fun KeyboardSettings.forField(info: EditorInfo): KeyboardSettings = copy(
    autocorrect = autocorrect && allowsAutocorrect(info),
    slots = if (wantsSuggestions(info)) slots else 0,
)

/**
 * What a keyboard controller is told when a field takes the focus. Where the field did not send its text along, as most
 * do from Android 11 on, it is read through [connection], which is a call to another process each time: read once per
 * field, then follow `onUpdateSelection`. Nothing is read from a secret field.
 */
public fun fieldFocusOf(info: EditorInfo, connection: InputConnection?): FieldFocus {
    val kind = fieldKindOf(info)
    return FieldFocus(
        kind = kind,
        capitals = capitalsModeOf(info),
        multiLine = beginsNewLine(info),
        action = actionOf(info),
        text = when {
            kind == FieldKind.PASSWORD -> EditorText()
            else -> initialText(info) ?: connection?.let(::readText) ?: EditorText()
        },
        selection = selectionOf(info.initialSelStart, info.initialSelEnd),
        unit = PositionUnit.UTF16,
    )
}

/**
 * A selection as `onUpdateSelection` reports it: a user may drag it to either side. Null where a position is negative,
 * which says that the field has no cursor.
 */
public fun selectionOf(start: Int, end: Int): Selection? =
    if (start < 0 || end < 0) null else Selection(minOf(start, end), maxOf(start, end))

/** Characters that are read on either side of the cursor. */
private const val WINDOW = 1000

/** Characters that a field sends along with the focus at most, but for halves of pairs at either end. */
private const val SENT = 2048 - 2

/** The text around the selection; null where the field does not answer. */
public fun readText(connection: InputConnection): EditorText? {
    val before = connection.getTextBeforeCursor(WINDOW, 0) ?: return null
    val selected = connection.getSelectedText(0) ?: ""
    val after = connection.getTextAfterCursor(WINDOW, 0) ?: ""
    return editorText(before, selected, after)
}

/** What the field sent along with the focus, from Android 11 on; null where that is not all of the selection. */
private fun initialText(info: EditorInfo): EditorText? {
    if (Build.VERSION.SDK_INT < Build.VERSION_CODES.R) return null
    val before = info.getInitialTextBeforeCursor(Int.MAX_VALUE, 0) ?: return null
    val selected = info.getInitialSelectedText(0) ?: if (info.initialSelStart == info.initialSelEnd) "" else return null
    val after = info.getInitialTextAfterCursor(Int.MAX_VALUE, 0) ?: ""
    // Android divides what is too long between both sides, and an app may send a part that begins in the middle.
    val isPart = before.length + selected.length + after.length >= SENT ||
        before.length < minOf(info.initialSelStart, info.initialSelEnd)
    val text = editorText(before.takeLast(WINDOW), selected, after.take(WINDOW))
    return if (isPart) text.copy(beforeCut = true, afterCut = true) else text
}

private fun editorText(before: CharSequence, selected: CharSequence, after: CharSequence) = EditorText(
    // A window of so many units may begin or end within a pair.
    before.dropWhile(Char::isLowSurrogate).toString(),
    selected.toString(),
    after.dropLastWhile(Char::isHighSurrogate).toString(),
    // A field may answer with less than it was asked for, but never with more.
    beforeCut = before.length >= WINDOW,
    afterCut = after.length >= WINDOW,
)
