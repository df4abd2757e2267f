package dev.nibble

import dev.nibble.internal.EmojiTable as NativeEmojiTable
import dev.nibble.internal.Lexicon as NativeLexicon
import java.io.Closeable
import java.io.File

/** The words of one language, with frequencies and usual spelling. */
public class Lexicon internal constructor(internal val native: NativeLexicon) : Closeable {

    /** The language as a BCP 47 tag, such as `en`. */
    public fun language(): String = nativeCall { native.language() }

    /** Number of words. */
    public fun wordCount(): Int = nativeCall { native.wordCount() }.signed()

    /** The usual spelling of [word]: `i'm` gives `I'm`; null where the word is unknown. */
    public fun spellingOf(word: String): String? = nativeCall { native.spellingOf(word.wellFormed()) }

    /** Natural logarithm of the share of [word] among all words of running text; null where it is unknown. */
    public fun logFrequency(word: String): Float? = nativeCall { native.logFrequency(word.wellFormed()) }

    /** Whether [word] is known to offend. It may be typed, and is not to be suggested. */
    public fun isOffensive(word: String): Boolean = nativeCall { native.isOffensive(word.wellFormed()) }

    /** Gives the lexicon up; typing engines that were made with it keep it. */
    override fun close() {
        giveUp { native.release() }
    }

    /** Ways to open a lexicon. */
    public companion object {
        /**
         * Maps a lexicon. The file must not be changed in place while it is open; replace it by renaming another
         * over it.
         */
        public suspend fun open(file: File): Lexicon = opening { Lexicon(NativeLexicon.open(file.path)) }

        /**
         * Opens the lexicon in [length] bytes from byte [offset] of an open descriptor, such as an asset of an
         * Android package. The descriptor stays the caller's and may be closed afterwards.
         *
         * @param name stands for the file in errors
         */
        public suspend fun openDescriptor(descriptor: Int, offset: Long, length: Long, name: String): Lexicon {
            val (from, count) = offset.unsigned("offset") to length.unsigned("length")
            return opening { Lexicon(NativeLexicon.openDescriptor(descriptor, from, count, name.wellFormed())) }
        }

        /** The lexicon whose file has these bytes. */
        public fun fromBytes(bytes: ByteArray): Lexicon = Lexicon(nativeCall { NativeLexicon.fromBytes(bytes) })
    }
}

/** A table of words and the emoji that they bring to mind. */
public class EmojiTable private constructor(internal val native: NativeEmojiTable) : Closeable {

    /** The emoji of [word], best first. */
    public fun of(word: String): List<String> = nativeCall { native.of(word.wellFormed()) }

    /** Gives the table up; typing engines that were made with it keep it. */
    override fun close() {
        giveUp { native.release() }
    }

    /** Ways to make a table. */
    public companion object {
        /** Reads a table from a file. */
        public suspend fun open(file: File): EmojiTable = opening { EmojiTable(NativeEmojiTable.open(file.path)) }

        /** Reads a table from its text: one word a line, then its emoji, best first, with tabs between. */
        public fun fromText(text: String): EmojiTable =
            EmojiTable(nativeCall { NativeEmojiTable.fromText(text.wellFormed()) })
    }
}
