package dev.nibble

import dev.nibble.internal.UserModel as NativeUserModel
import dev.nibble.internal.UserModelBounds as NativeUserModelBounds
import kotlinx.coroutines.withContext
import java.io.Closeable
import java.io.File

/**
 * How much a user model keeps.
 *
 * @property maxWords words, at most
 * @property maxPairs pairs of words, at most
 * @property maxBytes size of the file: it is compacted once it has grown beyond
 */
public data class UserModelBounds(
    val maxWords: Int = 10_000,
    val maxPairs: Int = 30_000,
    val maxBytes: Long = 4_194_304,
) {
    internal fun native() = NativeUserModelBounds(
        maxWords.unsigned("maxWords"),
        maxPairs.unsigned("maxPairs"),
        maxBytes.unsigned("maxBytes"),
    )
}

/**
 * A word that the user has typed.
 *
 * @property word as the user spells it
 * @property uses how often it was typed
 * @property lastUsed when it was last typed, in seconds since 1970
 * @property reverted whether a correction of it was undone
 */
public data class UserWord(val word: String, val uses: Int, val lastUsed: Long, val reverted: Boolean)

/**
 * What this user types: theirs to see, take along and remove.
 *
 * Once a [TypingEngine] was made with it, the engine learns into it, and this object goes on showing and changing it;
 * it ends with the engine.
 */
public class UserModel private constructor(internal val native: NativeUserModel) : Closeable {

    /** The words that contain [part] (all for an empty one), in alphabetical order. */
    public fun words(part: String = ""): List<UserWord> = nativeCall { native.words(part.wellFormed()) }
        .map { UserWord(it.word, it.uses.signed(), it.lastUsed, it.reverted) }

    /** Number of words. */
    public fun wordCount(): Int = nativeCall { native.wordCount() }.signed()

    /** Forgets a word, in the file as well. Says whether it was there. */
    public suspend fun remove(word: String): Boolean = changing { native.remove(word.wellFormed()) }

    /** Forgets everything, in the file as well. */
    public suspend fun erase(): Unit = changing { native.erase() }

    /** Everything as text, for [importText] and for people. */
    public fun exportText(): String = nativeCall { native.exportText() }

    /** Adds what an export says to what is known. Gives the number of facts; nothing is imported where it fails. */
    public suspend fun importText(text: String): Int = changing { native.importText(text.wellFormed()) }.signed()

    /** Forces what was learned to the disk, against a power failure. */
    public suspend fun sync(): Unit = changing { native.sync() }

    private suspend fun <T> changing(change: () -> T): T = withContext(nibbleDispatcher) { nativeCall(change) }

    /** Gives the model and its file up, unless a typing engine has it: then the engine keeps it. */
    override fun close() {
        giveUp { native.release() }
    }

    /** Ways to open a user model. */
    public companion object {
        /**
         * Opens or creates the model in a file. One object at a time may write to a file: others get
         * [NibbleException.InUse].
         */
        public suspend fun open(file: File, bounds: UserModelBounds = UserModelBounds()): UserModel {
            val asked = bounds.native()
            return opening { UserModel(NativeUserModel.open(file.path, asked)) }
        }

        /**
         * Reads the model in a file, which may be in use by a writer. Whatever would change it throws
         * [NibbleException.ReadOnly].
         */
        public suspend fun openReadOnly(file: File): UserModel =
            opening { UserModel(NativeUserModel.openReadOnly(file.path)) }

        /** A model that is never stored. */
        public fun inMemory(bounds: UserModelBounds = UserModelBounds()): UserModel {
            val asked = bounds.native()
            return UserModel(nativeCall { NativeUserModel.inMemory(asked) })
        }
    }
}
