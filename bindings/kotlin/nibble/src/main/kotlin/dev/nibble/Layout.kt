package dev.nibble

import dev.nibble.internal.KeyAction as NativeKeyAction
import dev.nibble.internal.Layout as NativeLayout
import dev.nibble.internal.LayoutPage as NativeLayoutPage
import dev.nibble.internal.builtinLayouts
import java.io.Closeable

/** A page of keys. */
public enum class LayoutPage(internal val native: NativeLayoutPage) {
    /** Letters. */
    LETTERS(NativeLayoutPage.LETTERS),

    /** Digits and common symbols. */
    SYMBOLS(NativeLayoutPage.SYMBOLS),

    /** Rarer symbols, behind the shift key of the symbols. */
    MORE_SYMBOLS(NativeLayoutPage.MORE_SYMBOLS),

    /** Large digits, for fields of digits. */
    NUMBERS(NativeLayoutPage.NUMBERS),

    /** Emoji. */
    EMOJI(NativeLayoutPage.EMOJI),
    ;

    internal companion object {
        fun of(native: NativeLayoutPage) = entries.first { it.native == native }
    }
}

/** What a key does. */
public sealed interface KeyAction {
    /**
     * Types a character; a space is one.
     *
     * @property text the character
     */
    public data class Character(val text: String) : KeyAction

    /** Upper case for the next letter, or for all. */
    public data object Shift : KeyAction

    /** Deletes before the cursor. */
    public data object Backspace : KeyAction

    /** A new line, or the field's action. */
    public data object Enter : KeyAction

    /**
     * Shows another page.
     *
     * @property page the page
     */
    public data class ShowPage(val page: LayoutPage) : KeyAction
}

/**
 * A key and its rectangle, in key widths (one letter key is 1 wide) in both directions from the top left corner of
 * the keyboard.
 *
 * @property action what it does
 * @property x its centre, from the left
 * @property y its centre, from the top
 * @property width its width
 * @property height its height
 * @property longPress the characters that it offers when it is held
 */
public data class Key(
    val action: KeyAction,
    val x: Float,
    val y: Float,
    val width: Float,
    val height: Float,
    val longPress: List<String>,
)

/** A keyboard's keys. */
public class Layout private constructor(internal val native: NativeLayout) : Closeable {

    /** Its name. */
    public fun name(): String = nativeCall { native.name() }

    /** Width of the keyboard in key widths. */
    public fun width(): Float = nativeCall { native.width() }

    /** Height of the keyboard in key widths. */
    public fun height(): Float = nativeCall { native.height() }

    /** The keys of a page, row by row; none where the layout has no such page. */
    public fun keys(page: LayoutPage): List<Key> = nativeCall { native.keys(page.native) }.map(::key)

    /** The key of a page at a point: the nearest one where there is a gap; null outside the keyboard. */
    public fun keyAt(page: LayoutPage, x: Float, y: Float): Key? =
        nativeCall { native.keyAt(page.native, x, y) }?.let(::key)

    /** Gives the layout up; typing engines that were made with it keep it. */
    override fun close() {
        giveUp { native.release() }
    }

    /** Ways to get a layout. */
    public companion object {
        /** The names of the layouts that come along. */
        public fun builtinNames(): List<String> = nativeCall { builtinLayouts() }

        /** One of the layouts that come along: `qwerty`, `qwertz`, `azerty`, `jcuken`. */
        public fun builtin(name: String): Layout = Layout(nativeCall { NativeLayout.builtin(name.wellFormed()) })

        /** A layout from JSON, in the form of the files that come along. */
        public fun fromJson(json: String): Layout = Layout(nativeCall { NativeLayout.fromJson(json.wellFormed()) })
    }
}

private fun key(native: dev.nibble.internal.Key): Key {
    val action = when (val action = native.action) {
        is NativeKeyAction.Character -> KeyAction.Character(action.text)
        NativeKeyAction.Shift -> KeyAction.Shift
        NativeKeyAction.Backspace -> KeyAction.Backspace
        NativeKeyAction.Enter -> KeyAction.Enter
        is NativeKeyAction.ShowPage -> KeyAction.ShowPage(LayoutPage.of(action.page))
    }
    return Key(action, native.x, native.y, native.width, native.height, native.longPress)
}
