package dev.nibble.android

import android.content.ComponentCallbacks2
import android.content.Context
import android.content.res.AssetFileDescriptor
import android.os.ParcelFileDescriptor
import android.os.PowerManager
import dev.nibble.EditorContext
import dev.nibble.Lexicon
import dev.nibble.Model
import dev.nibble.ModelFile
import dev.nibble.ModelState
import dev.nibble.NibbleException
import dev.nibble.TypingEngine
import kotlinx.coroutines.runBlocking
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import java.io.File
import java.security.MessageDigest
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.seconds

@RunWith(RobolectricTestRunner::class)
class DeviceTest {
    private val context: Context = RuntimeEnvironment.getApplication()
    private val tiny = File("../../../rust/nibble-testkit/fixtures/phi3-tiny/model-f16.gguf").canonicalFile

    @Test
    fun `a model opens out of another file`() = runBlocking {
        val content = File.createTempFile("package", ".apk")
        content.writeBytes(ByteArray(4096) + tiny.readBytes() + ByteArray(77))
        val descriptor = ParcelFileDescriptor.open(content, ParcelFileDescriptor.MODE_READ_ONLY)
        val model = AssetFileDescriptor(descriptor, 4096, tiny.length()).use { asset ->
            assertEquals(tiny.length(), ModelFile.at(asset, "tiny.gguf").use { it.inspect().bytes })
            Model.open(asset, "tiny.gguf")
        }
        // The descriptor is closed, and the model is not.
        model.use { assertEquals("tiny.gguf", it.info().file) }

        val rest = ParcelFileDescriptor.open(content, ParcelFileDescriptor.MODE_READ_ONLY)
        AssetFileDescriptor(rest, 0, AssetFileDescriptor.UNKNOWN_LENGTH).use { asset ->
            assertFailsWith<NibbleException.WrongFormat> { Model.open(asset, "package") }
            assertFailsWith<NibbleException.WrongFormat> { Lexicon.open(asset, "package") }
        }
        assertTrue(content.delete())
    }

    @Test
    fun `a model gets its name when it is whole`() = runBlocking {
        val models = ModelDirectory(context)
        assertTrue(models.directory.path.startsWith(context.noBackupFilesDir.path))
        assertNull(models.find("tiny.gguf"))
        assertTrue(models.usableBytes() > 0)
        val digest = MessageDigest.getInstance("SHA-256").digest(tiny.readBytes())
        val sha256 = digest.joinToString("") { "%02x".format(it) }

        tiny.copyTo(models.partial("tiny.gguf"))
        models.partial("tiny.gguf").appendText("more")
        assertFailsWith<NibbleException.ChecksumMismatch> { models.install("tiny.gguf", sha256) }
        assertFalse(models.partial("tiny.gguf").exists())
        assertFailsWith<NibbleException.NotFound> { models.install("tiny.gguf", sha256) }

        tiny.copyTo(models.partial("tiny.gguf"))
        assertTrue(models.list().isEmpty())
        val installed = models.install("tiny.gguf", sha256)
        assertEquals(installed, models.find("tiny.gguf"))
        assertEquals(listOf(installed), models.list())
        Model.open(installed).close()
        assertTrue(models.remove("tiny.gguf"))
        assertFalse(models.remove("tiny.gguf"))
        // What is left where the process ended while it prepared.
        for (ending in listOf(".prepared.part", ".prepared.part.part")) {
            models.directory.resolve("tiny.gguf$ending").writeText("half")
            assertTrue(models.remove("tiny.gguf"))
        }
        assertEquals(emptyList(), models.directory.list().orEmpty().toList())
        for (name in listOf("../tiny.gguf", "", ".hidden")) assertFailsWith<IllegalArgumentException> { models.find(name) }
    }

    @Test
    @Suppress("DEPRECATION")
    fun `memory is given back as far as it is asked for`() = runBlocking {
        val expected = mapOf(
            ComponentCallbacks2.TRIM_MEMORY_RUNNING_MODERATE to MemoryRelease.NOTHING,
            ComponentCallbacks2.TRIM_MEMORY_RUNNING_LOW to MemoryRelease.CACHES,
            ComponentCallbacks2.TRIM_MEMORY_RUNNING_CRITICAL to MemoryRelease.MODEL,
            ComponentCallbacks2.TRIM_MEMORY_UI_HIDDEN to MemoryRelease.CACHES,
            ComponentCallbacks2.TRIM_MEMORY_BACKGROUND to MemoryRelease.MODEL,
            ComponentCallbacks2.TRIM_MEMORY_MODERATE to MemoryRelease.MODEL,
            ComponentCallbacks2.TRIM_MEMORY_COMPLETE to MemoryRelease.MODEL,
        )
        for ((level, release) in expected) assertEquals(release, memoryReleaseFor(level), "$level")

        val model = Model.open(tiny)
        TypingEngine(model, emptyList()).use { engine ->
            engine.awaitIdle(60.seconds)
            assertEquals(ModelState.Ready, engine.modelState())
            assertEquals(MemoryRelease.CACHES, engine.trimMemory(ComponentCallbacks2.TRIM_MEMORY_UI_HIDDEN))
            assertEquals(ModelState.Ready, engine.modelState())
            assertEquals(MemoryRelease.MODEL, engine.trimMemory(ComponentCallbacks2.TRIM_MEMORY_BACKGROUND))
            assertEquals(ModelState.Absent, engine.modelState())
            assertNotNull(engine.suggest(EditorContext("a")))
        }
        model.close()
    }

    @Test
    fun `heat and the battery saver reduce what is computed`() {
        val power = context.getSystemService(Context.POWER_SERVICE) as PowerManager
        val shadow = shadowOf(power)
        var now = 0L
        var headroom = 0f
        val budget = ComputeBudget(power, { headroom }, { now })
        fun levelAt(measured: Float): ComputeLevel {
            headroom = measured
            now += ComputeBudget.INTERVAL_MILLISECONDS
            return budget.level()
        }
        assertEquals(ComputeLevel.FULL, levelAt(0.5f))
        assertEquals(ComputeLevel.REDUCED, levelAt(0.86f))
        // Not to and fro at the limit.
        assertEquals(ComputeLevel.REDUCED, levelAt(0.84f))
        assertEquals(ComputeLevel.FULL, levelAt(0.79f))
        assertEquals(ComputeLevel.LEXICONS_ONLY, levelAt(1.2f))
        assertEquals(ComputeLevel.LEXICONS_ONLY, levelAt(0.97f))
        assertEquals(ComputeLevel.REDUCED, levelAt(0.9f))
        // Asked too early: the answer is the last one.
        headroom = 0.1f
        assertEquals(ComputeLevel.REDUCED, budget.level())
        assertEquals(ComputeLevel.FULL, levelAt(0.1f))
        shadow.setIsPowerSaveMode(true)
        assertEquals(ComputeLevel.REDUCED, levelAt(0.1f))
        shadow.setIsPowerSaveMode(false)
        // A device that does not tell.
        shadow.setCurrentThermalStatus(PowerManager.THERMAL_STATUS_SEVERE)
        assertEquals(ComputeLevel.LEXICONS_ONLY, levelAt(Float.NaN))
        shadow.setCurrentThermalStatus(PowerManager.THERMAL_STATUS_NONE)
        assertEquals(ComputeLevel.FULL, levelAt(Float.NaN))
    }
}
