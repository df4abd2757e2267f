package dev.nibble.keyboard

import android.content.ComponentCallbacks2
import android.content.ComponentName
import android.content.Intent
import android.os.Build
import android.os.Message
import android.os.Parcel
import android.os.PowerManager
import dev.nibble.android.ComputeBudget
import dev.nibble.keyboard.engine.BinderTransport
import dev.nibble.keyboard.engine.EngineService
import dev.nibble.keyboard.engine.PART_BYTES
import dev.nibble.keyboard.engine.PartJoiner
import dev.nibble.keyboard.engine.partsOf
import java.time.Instant
import kotlin.random.Random
import kotlin.test.assertEquals
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue
import org.junit.After
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ServiceController
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.annotation.Implementation
import org.robolectric.annotation.Implements
import org.robolectric.shadows.ShadowPowerManager

/** A power manager that foresees as much heat as it is told; Robolectric's own foresees nothing. */
@Implements(PowerManager::class)
class ForecastingPower : ShadowPowerManager() {
    /** Of the severe throttling, which is 1. */
    var headroom = 0f

    @Implementation(minSdk = Build.VERSION_CODES.R)
    @Suppress("UNUSED_PARAMETER")
    fun getThermalHeadroom(seconds: Int): Float = headroom
}

/** The keyboard with the engine's service behind a Binder, as on a device but for the border between the processes. */
@RunWith(RobolectricTestRunner::class)
@Config(qualifiers = "w411dp-h731dp-420dpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class EngineServiceTest {
    private val app = RuntimeEnvironment.getApplication() as TestApplication
    private val name = ComponentName(app, EngineService::class.java)
    private val power = shadowOf(app.getSystemService(PowerManager::class.java))
    private val services = mutableListOf<ServiceController<EngineService>>()

    /** Starts the service, as the system does when somebody binds to it. */
    @Before
    fun startService() {
        app.usesService = true
        val service = Robolectric.buildService(EngineService::class.java).create()
        services += service
        shadowOf(app).setComponentNameAndServiceForBindService(name, service.get().onBind(Intent()))
    }

    @After
    fun stopServices() = services.forEach { it.destroy() }

    private val service get() = services.last().get()

    private fun Typist.assertModel(isOpen: Boolean) {
        val model = report().model
        assertTrue((model != null) == isOpen, "open model: $model")
    }

    @Test
    @Config(sdk = [26, 34, 35])
    fun `the model answers through the Binder`() = Typist().use { typist ->
        typist.type("I will be there tomorow")
        typist.awaitModel()
        assertEquals(1, typist.view.strip.highlighted)
        typist.type(" at ")
        typist.awaitModel()
        assertEquals("I will be there tomorrow at ", typist.text)
        typist.assertModel(isOpen = true)
    }

    @Test
    fun `with the battery saver the model is heard once a word and reads no phrases`() {
        power.setIsPowerSaveMode(true)
        Typist().use { typist ->
            typist.type("I look forward to hear")
            typist.awaitModel()
            val before = typist.report().passes
            typist.pass(500)
            // What would be read is read when the next report but one is there.
            typist.report()
            Thread.sleep(500)
            assertEquals(before, typist.report().passes)
            assertEquals("", typist.view.ghost)

            power.setIsPowerSaveMode(false)
            typist.pass(ComputeBudget.INTERVAL_MILLISECONDS)
            typist.backspace()
            typist.type("r")
            typist.awaitModel()
            typist.pass(500)
            typist.await("ghost text") { typist.view.ghost.isNotEmpty() }
        }
    }

    @Test
    fun `a hot device gives the model up at once, and takes it again when it has cooled down`() = Typist().use { typist ->
        typist.type("Hello ")
        typist.awaitModel()
        power.setCurrentThermalStatus(PowerManager.THERMAL_STATUS_SEVERE)
        typist.assertModel(isOpen = false)
        typist.type("my wor")
        typist.assertModel(isOpen = false)
        assertTrue(!typist.keyboard.suggester.isFresh && typist.slots().isNotEmpty(), "the dictionary answers")
        power.setCurrentThermalStatus(PowerManager.THERMAL_STATUS_NONE)
        typist.type("ld")
        typist.awaitModel()
        assertEquals("Hello my world", typist.text)
    }

    @Test
    @Config(shadows = [ForecastingPower::class])
    fun `a forecast of heat gives the model up at the next word`() = Typist().use { typist ->
        typist.type("Hello ")
        typist.awaitModel()
        (power as ForecastingPower).headroom = 1.2f
        typist.pass(ComputeBudget.INTERVAL_MILLISECONDS)
        typist.type("my ")
        typist.assertModel(isOpen = false)
        power.headroom = 0.1f
        typist.pass(ComputeBudget.INTERVAL_MILLISECONDS)
        typist.type("world ")
        typist.awaitModel()
        typist.assertModel(isOpen = true)
    }

    @Test
    @Suppress("DEPRECATION") // Older versions of Android send more levels.
    fun `memory that the system asks for is given back, and taken again by the next key`() = Typist().use { typist ->
        for (level in listOf(ComponentCallbacks2.TRIM_MEMORY_RUNNING_CRITICAL, ComponentCallbacks2.TRIM_MEMORY_BACKGROUND)) {
            typist.clear()
            typist.type("Hello wor")
            typist.awaitModel()
            service.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_RUNNING_LOW)
            typist.assertModel(isOpen = true)
            service.onTrimMemory(level)
            typist.assertModel(isOpen = false)
            typist.type("l")
            typist.awaitModel()
            typist.assertModel(isOpen = true)
        }
    }

    @Test
    fun `the model is given back after five minutes without a key`() = Typist().use { typist ->
        typist.type("Hello wor")
        typist.awaitModel()
        typist.pass(4 * 60_000)
        typist.assertModel(isOpen = true)
        // The report was a message too.
        typist.pass(5 * 60_000 + 1000)
        typist.assertModel(isOpen = false)
        typist.type("ld")
        typist.awaitModel()
        typist.assertModel(isOpen = true)
    }

    @Test
    fun `a service that nobody is bound to has no model`() = Typist().use { typist ->
        typist.type("Hello ")
        typist.awaitModel()
        service.onUnbind(Intent())
        typist.assertModel(isOpen = false)
    }

    @Test
    fun `a service that died is picked up again, and one whose binding died is bound anew`() = Typist().use { typist ->
        repeat(3) {
            typist.type("Hello Zimbowski, ")
            typist.clear()
        }
        typist.type("Hello ")
        typist.awaitModel()
        val transport = assertNotNull(shadowOf(app).boundServiceConnections.single() as? BinderTransport)
        transport.onServiceDisconnected(name)
        typist.type("Zim")
        assertTrue(!typist.keyboard.suggester.isFresh)
        startService()
        transport.onServiceConnected(name, service.onBind(Intent()))
        typist.awaitModel()
        // The new one was taught what the old one knew.
        assertTrue(typist.slots().any { it.text == "Zimbowski" }, "${typist.slots()}")

        startService()
        transport.onServiceDisconnected(name)
        transport.onBindingDied(name)
        typist.type("b")
        typist.awaitModel()
        assertTrue(typist.slots().any { it.text == "Zimbowski" }, "${typist.slots()}")
        assertEquals("Hello Zimb", typist.text)
        assertEquals(listOf<Any>(transport), shadowOf(app).boundServiceConnections)
    }

    @Test
    fun `more words than one message carries are taught`() = Typist().use { typist ->
        val random = Random(1)
        val words = List(6000) { List(9) { 'a' + random.nextInt(26) }.joinToString("") }
        // Words that nobody has typed for half a year are not suggested.
        val now = Instant.now().epochSecond
        val text = "# Nibble user model 1\n" + words.joinToString("") { "word\t$it\t5\t5\t$now\t5\t$now\n" }
        assertTrue(text.length > 3 * PART_BYTES)
        var isDone = false
        app.changeWords({ it.importText(text) }) { isDone = it == null }
        typist.await("words") { isDone }
        typist.type("Hello ${words.last().take(5)}")
        typist.awaitModel()
        assertTrue(typist.slots().any { it.text == words.last() }, "${typist.slots()}")
    }

    @Test
    fun `bytes of any length cross in parts that fit`() {
        val joiner = PartJoiner()
        for (length in listOf(0, 1, PART_BYTES, PART_BYTES + 1, 1_000_000)) {
            val bytes = Random(length).nextBytes(length)
            val parts = partsOf(bytes, null).map(::across)
            assertTrue(parts.dropLast(1).all { joiner.add(it) == null })
            assertTrue(assertNotNull(joiner.add(parts.last())).contentEquals(bytes))
        }
        val whole = partsOf(ByteArray(3 * PART_BYTES), null)
        joiner.add(whole[0])
        assertNull(joiner.add(whole[2]), "a part was lost")
        assertNull(joiner.add(whole[1]))
        assertNotNull(joiner.add(partsOf(byteArrayOf(1), null).single()))
    }

    /** The message as another process gets it. */
    private fun across(message: Message): Message {
        val parcel = Parcel.obtain()
        message.writeToParcel(parcel, 0)
        assertTrue(parcel.dataSize() < PART_BYTES + 1000, "${parcel.dataSize()} bytes")
        parcel.setDataPosition(0)
        return Message.CREATOR.createFromParcel(parcel).also { parcel.recycle() }
    }
}
