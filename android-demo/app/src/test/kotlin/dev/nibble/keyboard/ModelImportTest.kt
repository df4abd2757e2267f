package dev.nibble.keyboard

import android.app.Activity
import android.content.Intent
import android.net.Uri
import android.provider.OpenableColumns
import android.view.View
import android.widget.EditText
import android.widget.TextView
import dev.nibble.android.ModelDirectory
import dev.nibble.keyboard.settings.ModelActivity
import dev.nibble.keyboard.settings.ModelImport
import dev.nibble.keyboard.settings.checksumIn
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.fakes.RoboCursor
import java.io.ByteArrayInputStream
import java.io.File
import java.io.InputStream
import java.nio.file.Files
import java.security.MessageDigest
import java.util.concurrent.CountDownLatch
import kotlin.test.assertEquals
import kotlin.test.assertNull
import kotlin.test.assertTrue

/** Models that come through the system's file picker. */
@RunWith(RobolectricTestRunner::class)
@Config(qualifiers = "w411dp-h731dp-420dpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class ModelImportTest {
    private val app = RuntimeEnvironment.getApplication() as TestApplication
    private val models = ModelDirectory(app)
    private val tiny = File("../../rust/nibble-testkit/fixtures/phi3-tiny/model-f16.gguf")
    private val checksum = MessageDigest.getInstance("SHA-256").digest(tiny.readBytes()).joinToString("") { "%02x".format(it) }
    private var files = 0

    /** A file of another app. */
    private fun file(content: InputStream, name: String = "model.gguf", bytes: Long? = null): Uri {
        val uri = Uri.parse("content://files/${++files}")
        val resolver = shadowOf(app.contentResolver)
        resolver.registerInputStream(uri, content)
        val cursor = RoboCursor()
        cursor.setColumnNames(listOf(OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE))
        cursor.setResults(arrayOf(arrayOf<Any?>(name, bytes)))
        resolver.setCursor(uri, cursor)
        return uri
    }

    /** The user chooses a file in the picker. */
    private fun Activity.pick(file: Uri) {
        click(R.string.model_choose)
        val asked = shadowOf(this).nextStartedActivityForResult
        assertEquals(Intent.ACTION_OPEN_DOCUMENT, asked.intent.action)
        shadowOf(this).receiveResult(asked.intent, Activity.RESULT_OK, Intent().setData(file))
    }

    private fun Activity.paste(text: String) = views().filterIsInstance<EditText>().single().setText(text)

    private fun assertNothingIsLeft() {
        assertNull(app.preferences.model)
        assertEquals(emptyList(), models.directory.list().orEmpty().toList())
    }

    @Test
    fun `another model is copied, checked and used, and a foreign file is not`() {
        val activity = open<ModelActivity>()
        activity.pick(file(ByteArrayInputStream(ByteArray(100_000) { 7 })))
        await("failure") { activity.says("not installed") }
        assertNothingIsLeft()

        models.directory.resolve("before.gguf").writeText("another")
        activity.pick(file(tiny.inputStream(), "tiny.gguf", tiny.length()))
        await("model") { app.preferences.model != null }
        assertEquals(listOf(app.preferences.model), models.list().map { it.name })
        assertTrue("nibble.phi3" in models.list().single().readText(Charsets.ISO_8859_1), "it is prepared")
        assertTrue(activity.says("tiny.gguf\ntiny random"))
        assertTrue(activity.says("Licence: apache-2.0"))
        assertTrue(activity.says("tiny.gguf is installed"))
        assertEquals(listOf("tiny.gguf"), models.directory.list().orEmpty().toList(), "the one before is gone")
        val space = activity.views().filter { it is TextView && "MB are free" in it.text }
        picture("model", activity.window.decorView, space.map(View::place).toList())
        activity.click(R.string.model_packaged_again)
        assertNothingIsLeft()
    }

    @Test
    fun `a model that names no licence is said to`() {
        val named = tiny.readText(Charsets.ISO_8859_1)
        models.directory.mkdirs()
        models.directory.resolve("other.gguf")
            .writeText(named.replace("general.license", "general.another"), Charsets.ISO_8859_1)
        app.preferences.model = "other.gguf"
        assertTrue(open<ModelActivity>().says("Licence: the file names none"))
    }

    @Test
    fun `a file with another checksum than the expected one is refused`() {
        val activity = open<ModelActivity>()
        val other = checksum.reversed()
        activity.paste(other)
        activity.pick(file(tiny.inputStream()))
        await("failure") { activity.says("not the file that you expect") }
        assertTrue(activity.says(checksum) && activity.says(other))
        assertNothingIsLeft()
        // As sha256sum prints it.
        activity.paste("${checksum.uppercase()}  tiny.gguf")
        activity.pick(file(tiny.inputStream()))
        await("model") { app.preferences.model != null }
    }

    @Test
    fun `what is no checksum opens no picker`() {
        val activity = open<ModelActivity>()
        activity.paste(checksum.drop(1))
        activity.click(R.string.model_choose)
        assertTrue(activity.says("no SHA-256"))
        assertNull(shadowOf(activity).nextStartedActivityForResult)
        assertEquals(checksum, checksumIn(" sha256:$checksum\n"))
        assertNull(checksumIn("g" + checksum.drop(1)))
    }

    @Test
    fun `a file that is larger than what is free is not begun`() {
        val activity = open<ModelActivity>()
        val unread = object : InputStream() {
            override fun read(): Int = throw AssertionError("it was read")
        }
        activity.pick(file(unread, bytes = models.usableBytes() + 5_000_000_000))
        await("failure") { activity.says("not installed: it needs") }
        assertTrue(activity.says("MB are free"))
        assertNothingIsLeft()
    }

    @Test
    fun `a file that may no longer be read is refused`() {
        val activity = open<ModelActivity>()
        val forbidden = object : InputStream() {
            override fun read(): Int = throw SecurityException("no right to it")
        }
        activity.pick(file(forbidden))
        await("failure") { activity.says("not installed: no right to it") }
        assertNothingIsLeft()
    }

    @Test
    fun `an app that fails while it is asked for its file refuses it`() {
        val activity = open<ModelActivity>()
        val failing = object : InputStream() {
            override fun read(): Int = throw IllegalStateException("its owner failed")
        }
        activity.pick(file(failing))
        await("failure") { activity.says("not installed: its owner failed") }
        // What it says of the file may be no name.
        activity.pick(file(tiny.inputStream(), name = "models/"))
        await("failure") { activity.says("not installed: a model's name") }
        assertNothingIsLeft()
    }

    @Test
    fun `an app that tells neither name nor size has a file all the same`() {
        val activity = open<ModelActivity>()
        val uri = file(tiny.inputStream())
        shadowOf(app.contentResolver).setCursor(
            uri,
            RoboCursor().apply {
                setColumnNames(listOf("_id"))
                setResults(arrayOf(arrayOf<Any?>(1)))
            },
        )
        activity.pick(uri)
        await("model") { activity.says("model.gguf is installed") }
    }

    @Test
    fun `an import that is cancelled while it is checked leaves what was there`() {
        models.usableBytes()
        models.directory.resolve("before.gguf").writeText("another")
        val activity = open<ModelActivity>()
        val copied = object : ByteArrayInputStream(tiny.readBytes()) {
            override fun close() = app.modelImport.cancel()
        }
        activity.pick(file(copied))
        await("end") { !app.modelImport.isRunning }
        assertEquals(ModelImport.State.Idle, app.modelImport.state)
        assertNull(app.preferences.model)
        assertEquals(listOf("before.gguf"), models.directory.list().orEmpty().toList())
    }

    @Test
    fun `a model that cannot be prepared is installed as it is`() {
        val activity = open<ModelActivity>()
        // The prepared form cannot be written here.
        models.partial("tiny.gguf.prepared").mkdirs()
        activity.pick(file(tiny.inputStream(), "tiny.gguf", tiny.length()))
        await("model") { activity.says("tiny.gguf is installed") }
        assertEquals("tiny.gguf", app.preferences.model)
        assertTrue("nibble.phi3" !in models.list().single().readText(Charsets.ISO_8859_1))
    }

    @Test
    fun `a disk that becomes full leaves nothing`() {
        val activity = open<ModelActivity>()
        // Writing to this device fails as on a full disk.
        Files.createSymbolicLink(models.partial("model.gguf").toPath(), File("/dev/full").toPath())
        activity.pick(file(tiny.inputStream()))
        await("failure") { activity.says("not installed: No space left on device") }
        assertNothingIsLeft()
    }

    /** A file that comes slowly: its second megabyte when [more] is counted down. */
    private class SlowFile(content: ByteArray) : InputStream() {
        val more = CountDownLatch(1)
        private val source = content.inputStream()
        private var given = 0

        override fun read(): Int = source.read()

        override fun read(into: ByteArray, from: Int, length: Int): Int {
            if (given >= 1 shl 20) more.await()
            return source.read(into, from, length).also { given += it }
        }
    }

    @Test
    fun `a copy outlives its page, and one that is cancelled leaves nothing`() {
        val slow = SlowFile(tiny.readBytes())
        val page = Robolectric.buildActivity(ModelActivity::class.java).setup()
        page.get().pick(file(slow, bytes = tiny.length()))
        await("progress") { page.get().says("Copying: 1 of 2 MB") }
        assertTrue(models.directory.list().orEmpty().single().endsWith(".part"))
        page.recreate()
        assertTrue(page.get().says("Copying: 1 of 2 MB"))
        page.get().click(R.string.cancel)
        slow.more.countDown()
        await("end") { !app.modelImport.isRunning }
        assertNothingIsLeft()
        assertTrue(!page.get().says("Copying"))

        page.get().pick(file(tiny.inputStream()))
        await("model") { app.preferences.model != null }
    }

    @Test
    fun `what a process left that ended while it copied is removed`() {
        models.partial("model.gguf").writeBytes(ByteArray(1000))
        open<ModelActivity>()
        assertNothingIsLeft()
    }
}
