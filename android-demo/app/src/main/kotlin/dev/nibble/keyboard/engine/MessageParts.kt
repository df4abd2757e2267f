package dev.nibble.keyboard.engine

import android.os.Bundle
import android.os.Message
import android.os.Messenger

/**
 * Bytes that one message between processes carries at most. All transactions that a process has not taken yet share
 * one megabyte, and what was learned can be larger than that.
 */
const val PART_BYTES = 64 * 1024

private const val BYTES = "bytes"

/**
 * Messages that carry [bytes] from process to process, in order: [Message.arg1] says where a part begins,
 * [Message.arg2] how long the whole is.
 *
 * @param replyTo who is to be answered
 */
fun partsOf(bytes: ByteArray, replyTo: Messenger?): List<Message> =
    (0 until maxOf(1, bytes.size) step PART_BYTES).map { start ->
        Message.obtain().apply {
            arg1 = start
            arg2 = bytes.size
            data = Bundle().apply { putByteArray(BYTES, bytes.copyOfRange(start, minOf(start + PART_BYTES, bytes.size))) }
            this.replyTo = replyTo
        }
    }

/** Puts the parts of messages together again. For one sender and one thread. */
class PartJoiner {
    private var whole = ByteArray(0)
    private var filled = 0

    /** Takes a part; gives the bytes with the last one. What follows a part that was lost is left out. */
    fun add(part: Message): ByteArray? {
        val bytes = part.data.getByteArray(BYTES) ?: return null
        if (part.arg1 == 0) {
            whole = ByteArray(maxOf(0, part.arg2))
            filled = 0
        }
        if (part.arg1 != filled || part.arg2 != whole.size || bytes.size > whole.size - filled) return null
        bytes.copyInto(whole, filled)
        filled += bytes.size
        if (filled < whole.size) return null
        filled = -1
        return whole.also { whole = ByteArray(0) }
    }
}
