package dev.nibble.keyboard.view

import dev.nibble.Key
import dev.nibble.KeyAction
import dev.nibble.Layout
import dev.nibble.LayoutPage

/** What the keyboard shows below the strip: keys in key units, see [Key], and how large the whole is. */
class Page(val keys: List<Key>, val width: Float, val height: Float)

private const val ROW = 1.4f
private const val ROWS = 4

/** A page of a layout, or one of those that are the same in every layout. */
fun pageOf(layout: Layout, page: LayoutPage, emojiGroup: Int): Page = when (page) {
    LayoutPage.NUMBERS -> numbers
    LayoutPage.EMOJI -> emoji(emojiGroup)
    else -> Page(layout.keys(page), layout.width(), layout.height())
}

/** Rows of keys that share the width evenly. */
private fun grid(width: Float, rows: List<List<KeyAction>>): Page {
    val keys = rows.flatMapIndexed { index, row ->
        val size = width / row.size
        row.mapIndexed { column, action ->
            Key(action, (column + 0.5f) * size, (index + 0.5f) * ROW, size, ROW, emptyList())
        }
    }
    return Page(keys, width, rows.size * ROW)
}

private fun characters(text: String) = text.split(' ').map { KeyAction.Character(it) }

private val numbers = grid(
    10f,
    listOf(
        characters("1 2 3") + KeyAction.Backspace,
        characters("4 5 6") + KeyAction.Character("-"),
        characters("7 8 9") + KeyAction.Character("."),
        listOf(
            KeyAction.ShowPage(LayoutPage.LETTERS),
            KeyAction.Character("0"),
            KeyAction.Character(","),
            KeyAction.Enter,
        ),
    ),
)

/** One of the groups of emoji, by the emoji that stands for it. */
class EmojiGroup(val sign: String, val emoji: List<String>)

/** Emoji by what they show; each group fills a page. */
val emojiGroups: List<EmojiGroup> = listOf(
    "😀 😃 😄 😁 😆 😅 😂 🙂 😉 😊 😇 😍 😘 😋 😜 🤔 😐 😏 😌 😴 😎 😕 😟 😮 😢 😭 😡",
    "👋 👌 👍 👎 👊 👏 🙌 🙏 💪 👀 🧠 👶 👦 👧 👨 👩 👴 👵 👮 👷 💃 🏃 👫 👪 💋 👣 👑",
    "🐶 🐱 🐭 🐰 🦊 🐻 🐼 🐯 🦁 🐮 🐷 🐸 🐵 🐔 🐧 🐦 🦆 🦉 🐺 🐴 🐝 🐛 🦋 🐌 🐢 🐠 🌳",
    "🍏 🍊 🍋 🍌 🍉 🍇 🍓 🍒 🍑 🍍 🍅 🥑 🌽 🥕 🍞 🧀 🍳 🍔 🍟 🍕 🌮 🍝 🍣 🍰 🍺 🍷 🍵",
    "⚽ 🏀 🏈 🎾 🏐 🎱 🏓 🎯 🎮 🎲 🎸 🎺 🎨 🎬 🎤 🚗 🚕 🚌 🚲 🚆 🛫 🚀 ⛵ 🏠 🏢 ⛺ 🌍",
    "💛 💚 💙 💜 💔 💯 🔥 🎉 🎁 💡 📱 💻 📷 📚 📝 📌 📎 🔑 🔒 🔔 ⏰ ⏳ ✅ ❌ ❓ ❗ 💤",
).map { group -> group.split(' ').let { EmojiGroup(it.first(), it) } }

private const val EMOJI_COLUMNS = 9

private fun emoji(group: Int): Page {
    val rows = emojiGroups[group].emoji.map { KeyAction.Character(it) }.chunked(EMOJI_COLUMNS)
    val last = listOf(KeyAction.ShowPage(LayoutPage.LETTERS)) + emojiGroups.map { KeyAction.Character(it.sign) } +
        KeyAction.Backspace
    return grid(10f, rows.take(ROWS - 1) + listOf(last))
}

/** The group that a key of the last row of the emoji page shows; null for other keys. */
fun emojiGroupOf(page: LayoutPage, key: Key): Int? {
    if (page != LayoutPage.EMOJI || key.y < (ROWS - 1) * ROW) return null
    val sign = (key.action as? KeyAction.Character)?.text ?: return null
    return emojiGroups.indexOfFirst { it.sign == sign }.takeIf { it >= 0 }
}
