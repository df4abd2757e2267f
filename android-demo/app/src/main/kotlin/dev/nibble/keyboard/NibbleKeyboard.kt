package dev.nibble.keyboard

import android.inputmethodservice.InputMethodService
import android.os.Handler
import android.os.Looper
import android.os.SystemClock
import android.view.View
import android.view.inputmethod.EditorInfo
import dev.nibble.EditorAction
import dev.nibble.Event
import dev.nibble.Layout
import dev.nibble.LayoutPage
import dev.nibble.ShiftState
import dev.nibble.Strip
import dev.nibble.UserModel
import dev.nibble.android.actionOf
import dev.nibble.android.beginsNewLine
import dev.nibble.keyboard.view.KeyboardView
import java.util.Locale

/** The keyboard as Android knows it: it connects the view, the field, the controller and the engines. */
class NibbleKeyboard : InputMethodService(), KeyboardScreen, RunningKeyboard {
    private val handler = Handler(Looper.getMainLooper())
    private val editor = EditorAdapter()
    private lateinit var app: NibbleApplication
    private lateinit var shell: KeyboardShell

    /** What answers; for the statistics and the tests. */
    lateinit var suggester: TieredSuggester
        private set

    /** The view, once there is one. */
    var view: KeyboardView? = null
        private set

    // What was last told to draw, for a view that comes later.
    private var strip = Strip(0, emptyList(), null)
    private var shift = ShiftState.OFF
    private var page = LayoutPage.LETTERS
    private var ghost = ""
    private var layoutName = ""

    private val idle = Runnable { shell.handle(Event.Idle) }
    private val foresee = Runnable { suggester.foresee() }

    override fun onCreate() {
        super.onCreate()
        app = application as NibbleApplication
        suggester = TieredSuggester(
            app.engineTransport(),
            app.preferences.engineSettings,
            post = { work -> handler.post { if (!isDestroyed) work() } },
            teach = { words?.exportText() },
            statistics = app.statistics,
            onAnswer = { shell.handle(Event.Answer(it)) },
        )
        shell = KeyboardShell(editor, this, suggester, app.statistics::count, SystemClock::uptimeMillis)
        connectLocal()
        app.keyboard = this
    }

    private var words: UserModel? = null

    private var isDestroyed = false

    private fun connectLocal() = app.withLocal {
        if (isDestroyed) return@withLocal
        words = it.words
        if (suggester.local === it.engine) return@withLocal
        suggester.local = it.engine
        suggester.wordsChanged()
    }

    override fun settingsChanged() {
        suggester.settings = app.preferences.engineSettings
        connectLocal()
        shell.configure(app.preferences.keyboardSettings)
        view?.let(::applySettings)
    }

    override fun wordsChanged() = suggester.wordsChanged()

    override fun measureEngine() = suggester.measure()

    override fun onDestroy() {
        // It finishes the input.
        super.onDestroy()
        handler.removeCallbacks(idle)
        handler.removeCallbacks(foresee)
        isDestroyed = true
        if (app.keyboard === this) app.keyboard = null
        suggester.close()
        shell.close()
    }

    override fun onCreateInputView(): View = KeyboardView(this, ::handle).also {
        view = it
        layoutName = ""
        applySettings(it)
        it.showStrip(strip)
        it.showShift(shift)
        it.showPage(page)
        it.showGhost(ghost)
    }

    private fun applySettings(view: KeyboardView) {
        val settings = app.preferences
        if (layoutName != settings.layout) {
            layoutName = settings.layout
            view.layout = Layout.builtin(layoutName)
        }
        view.isHaptic = settings.haptics
        val locale = Locale.forLanguageTag(settings.language)
        view.spaceLabel = locale.getDisplayLanguage(locale).replaceFirstChar { it.titlecase(locale) }
        val info = currentInputEditorInfo
        view.enterAction = if (info == null || beginsNewLine(info)) null else actionOf(info).takeIf { it != EditorAction.DEFAULT }
    }

    /** The keyboard never covers the app. */
    override fun onEvaluateFullscreenMode(): Boolean = false

    override fun onStartInput(attribute: EditorInfo, restarting: Boolean) {
        super.onStartInput(attribute, restarting)
        shell.focus(attribute, currentInputConnection, app.preferences.keyboardSettings)
        view?.let(::applySettings)
    }

    override fun onFinishInput() {
        shell.blur()
        super.onFinishInput()
    }

    override fun onUpdateSelection(oldStart: Int, oldEnd: Int, start: Int, end: Int, composingStart: Int, composingEnd: Int) {
        super.onUpdateSelection(oldStart, oldEnd, start, end, composingStart, composingEnd)
        shell.selectionChanged(start, end, composingStart in 0 until composingEnd)
        pause()
    }

    private fun handle(event: Event) {
        shell.handle(event)
        pause()
    }

    /** Notices when nothing is typed for a moment. */
    private fun pause() {
        handler.removeCallbacks(idle)
        handler.removeCallbacks(foresee)
        handler.postDelayed(foresee, FORESEE_MS)
        handler.postDelayed(idle, IDLE_MS)
    }

    override fun showStrip(strip: Strip) {
        this.strip = strip
        view?.showStrip(strip)
    }

    override fun showShift(state: ShiftState) {
        shift = state
        view?.showShift(state)
    }

    override fun showPage(page: LayoutPage) {
        this.page = page
        view?.showPage(page)
    }

    override fun showGhost(text: String) {
        ghost = text
        suggester.showsGhost = text.isNotEmpty()
        view?.showGhost(text)
    }

    private companion object {
        const val FORESEE_MS = 300L
        const val IDLE_MS = 1000L
    }
}
