package dev.nibble.keyboard

import android.app.Activity
import android.app.AlertDialog
import android.content.ComponentName
import android.content.Intent
import android.content.pm.PackageManager
import android.net.Uri
import android.os.Looper
import android.view.View
import android.view.ViewGroup
import android.view.inputmethod.InputMethodInfo
import android.widget.EditText
import android.widget.ListView
import android.widget.TextView
import dev.nibble.android.ModelDirectory
import dev.nibble.keyboard.settings.ModelActivity
import dev.nibble.keyboard.settings.SettingsActivity
import dev.nibble.keyboard.settings.WordsActivity
import kotlinx.coroutines.runBlocking
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowAlertDialog
import java.io.ByteArrayInputStream
import java.io.File
import kotlin.test.assertEquals
import kotlin.test.assertNull
import kotlin.test.assertTrue

@RunWith(RobolectricTestRunner::class)
@Config(qualifiers = "w411dp-h731dp-420dpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class SettingsTest {
    private val app = RuntimeEnvironment.getApplication() as TestApplication

    private inline fun <reified A : Activity> open(): A = Robolectric.buildActivity(A::class.java).setup().get()

    private fun idle() = shadowOf(Looper.getMainLooper()).idle()

    private fun await(what: String, condition: () -> Boolean) {
        val end = System.nanoTime() + 60_000_000_000
        while (!condition()) {
            check(System.nanoTime() < end) { "no $what" }
            Thread.sleep(1)
            idle()
        }
    }

    private fun View.all(): Sequence<View> = sequence {
        yield(this@all)
        if (this@all is ViewGroup) for (index in 0 until childCount) yieldAll(getChildAt(index).all())
    }

    private fun Activity.views() = window.decorView.all()

    private fun Activity.click(text: Int) {
        views().filterIsInstance<TextView>().first { it.text.toString() == getString(text) }.performClick()
        idle()
    }

    private fun Activity.says(text: String) = views().filterIsInstance<TextView>().any { text in it.text }

    @Test
    fun `the system finds a keyboard with settings and no right to the network`() {
        val manager = app.packageManager
        val services = manager.queryIntentServices(Intent("android.view.InputMethod"), PackageManager.GET_META_DATA)
        val method = InputMethodInfo(app, services.single())
        assertEquals(SettingsActivity::class.java.name, method.settingsActivity)
        assertEquals(3, method.subtypeCount)
        val asked = manager.getPackageInfo(app.packageName, PackageManager.GET_PERMISSIONS).requestedPermissions.toList()
        assertEquals(listOf("android.permission.VIBRATE"), asked)
        val engine = manager.getServiceInfo(ComponentName(app, "dev.nibble.keyboard.engine.EngineService"), 0)
        assertEquals("${app.packageName}:engine", engine.processName)
        assertTrue(!engine.exported)
    }

    @Test
    fun `settings are kept`() {
        val activity = open<SettingsActivity>()
        picture("settings", activity.window.decorView)
        activity.click(R.string.correction_careful)
        activity.views().filterIsInstance<TextView>().first { it.text == "QWERTZ" }.performClick()
        activity.click(R.string.haptics)
        val kept = Preferences(app)
        assertEquals(CorrectionStrength.CAREFUL, kept.correction)
        assertEquals("qwertz", kept.layout)
        assertEquals(false, kept.haptics)
        assertTrue(activity.says("cannot use the network"))
    }

    @Test
    fun `another model is copied, checked and used, and a foreign file is not`() {
        val tiny = File("../../rust/nibble-testkit/fixtures/phi3-tiny/model-f16.gguf")
        val activity = open<ModelActivity>()
        val resolver = shadowOf(app.contentResolver)
        val foreign = Uri.parse("content://files/1")
        resolver.registerInputStream(foreign, ByteArrayInputStream(ByteArray(100_000) { 7 }))
        activity.install(foreign)
        await("failure") { activity.says("not installed") }
        assertNull(app.preferences.model)
        val models = ModelDirectory(app)
        assertTrue(models.directory.listFiles().orEmpty().isEmpty(), "nothing is left")

        val good = Uri.parse("content://files/2")
        resolver.registerInputStream(good, tiny.inputStream())
        activity.install(good)
        await("model") { app.preferences.model != null }
        assertEquals(listOf(app.preferences.model), models.list().map { it.name })
        assertTrue(models.list().single().readBytes().contentEquals(tiny.readBytes()))
        assertTrue(activity.says("model.gguf"))
        picture("model", activity.window.decorView)
        activity.click(R.string.model_packaged_again)
        assertNull(app.preferences.model)
        assertTrue(models.list().isEmpty())
    }

    @Test
    fun `learned words are listed, found and forgotten`() {
        var local: NibbleApplication.Local? = null
        app.withLocal { local = it }
        await("engine") { local != null }
        val words = checkNotNull(local).words
        for (word in listOf("Annika", "fjord", "Kubernetes", "sourdough", "tramline", "Zoë")) {
            repeat(3) { checkNotNull(local).engine.commit("We saw ", word) }
        }
        val activity = open<WordsActivity>()
        await("words") { activity.says("6 words") }
        picture("learned-words", activity.window.decorView)
        activity.views().filterIsInstance<EditText>().first().setText("fjo")
        idle()
        val list = activity.views().filterIsInstance<ListView>().single()
        assertEquals(1, list.adapter.count)
        list.performItemClick(View(activity), 0, 0)
        idle()
        val dialog = ShadowAlertDialog.getLatestAlertDialog()
        dialog.getButton(AlertDialog.BUTTON_POSITIVE).performClick()
        idle()
        assertTrue(words.words("fjord").isEmpty())
        assertEquals(5, words.wordCount())
        runBlocking { words.erase() }
    }
}
