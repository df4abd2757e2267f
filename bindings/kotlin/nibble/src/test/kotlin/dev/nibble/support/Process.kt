package dev.nibble.support

import java.io.File

/** What this process holds, as Linux tells it. */
data class ProcessState(val anonymousKilobytes: Long, val descriptors: Int, val threads: Int) {
    companion object {
        fun now(): ProcessState {
            repeat(3) {
                System.gc()
                Thread.sleep(50)
            }
            val anonymous = File("/proc/self/status").readLines().first { it.startsWith("RssAnon:") }
            return ProcessState(
                anonymous.split(Regex("\\s+"))[1].toLong(),
                File("/proc/self/fd").list().orEmpty().size,
                File("/proc/self/task").list().orEmpty().size,
            )
        }

        /** How many times a file is mapped. */
        fun mappings(file: File): Int = File("/proc/self/maps").readLines().count { it.endsWith(file.path) }
    }
}
