package dev.nibble.keyboard

import android.app.Activity
import android.app.AlertDialog
import android.content.ComponentName
import android.content.Intent
import android.content.pm.PackageManager
import android.net.Uri
import android.view.View
import android.view.inputmethod.InputMethodInfo
import android.widget.EditText
import android.widget.ListView
import dev.nibble.keyboard.settings.SettingsActivity
import dev.nibble.keyboard.settings.WordsActivity
import kotlinx.coroutines.runBlocking
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowAlertDialog
import org.robolectric.shadows.ShadowToast
import java.io.InputStream
import kotlin.test.assertEquals
import kotlin.test.assertTrue

@RunWith(RobolectricTestRunner::class)
@Config(qualifiers = "w411dp-h731dp-420dpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class SettingsTest {
    private val app = RuntimeEnvironment.getApplication() as TestApplication

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
        activity.click("QWERTZ")
        activity.click(R.string.haptics)
        val kept = Preferences(app)
        assertEquals(CorrectionStrength.CAREFUL, kept.correction)
        assertEquals("qwertz", kept.layout)
        assertEquals(false, kept.haptics)
        assertTrue(activity.says("cannot use the network"))
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
        val list = activity.views().filterIsInstance<ListView>().single()
        await("word") { list.adapter.count == 1 }
        list.performItemClick(View(activity), 0, 0)
        idle()
        val dialog = ShadowAlertDialog.getLatestAlertDialog()
        dialog.getButton(AlertDialog.BUTTON_POSITIVE).performClick()
        await("change") { words.words("fjord").isEmpty() }
        assertEquals(5, words.wordCount())
        runBlocking { words.erase() }
    }

    @Test
    fun `a list of words that its app fails to give, or that has no end, changes nothing`() {
        val failing = object : InputStream() {
            override fun read(): Int = throw IllegalStateException("its owner failed")
        }
        val endless = object : InputStream() {
            override fun read(): Int = 'a'.code
        }
        val activity = open<WordsActivity>()
        for ((index, content) in listOf(failing, endless).withIndex()) {
            val file = Uri.parse("content://words/$index")
            shadowOf(app.contentResolver).registerInputStream(file, content)
            activity.click(R.string.words_import)
            val asked = shadowOf(activity).nextStartedActivityForResult
            shadowOf(activity).receiveResult(asked.intent, Activity.RESULT_OK, Intent().setData(file))
            await("failure") { ShadowToast.shownToastCount() == index + 1 }
            assertEquals(activity.getString(R.string.words_failed), ShadowToast.getTextOfLatestToast())
        }
    }
}
