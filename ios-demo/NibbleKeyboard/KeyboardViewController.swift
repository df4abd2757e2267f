import Nibble
import NibbleKeyboardAdapter
import UIKit
import os

/// The keyboard as the system sees it. It passes touches on and draws what ``RunningKeyboard`` says.
final class KeyboardViewController: UIInputViewController, KeysViewDelegate {
    private static let stripHeight: CGFloat = 48
    /// Between two looks at the memory that the process takes.
    private static let memoryInterval: TimeInterval = 2

    private let log = Logger(subsystem: "dev.nibble.keyboard", category: "keyboard")
    private let strip = StripView()
    private let keys = KeysView()
    private let emoji = EmojiView()
    private let nextKeyboard = UIButton(type: .custom)
    private lazy var document = UIKitTextDocument(self)
    private lazy var height = view.heightAnchor.constraint(equalToConstant: 0)
    private var keyboard: RunningKeyboard?
    private var panel: PanelView?
    private var pressure: MemoryPressureMonitor?
    private var tick: Timer?
    private var memoryTimer: Timer?

    private var now: Duration { .seconds(ProcessInfo.processInfo.systemUptime) }

    // MARK: The system

    override func viewDidLoad() {
        super.viewDidLoad()
        view.backgroundColor = KeyboardColors.background
        height.priority = UILayoutPriority(999)
        height.isActive = true
        for part in [strip, keys, emoji] { view.addSubview(part) }
        keys.delegate = self
        strip.onTap = { [weak self] slot in self?.change { $0.tap(slot, at: $1) } }
        strip.onGhost = { [weak self] in self?.acceptGhost(.all) }
        strip.onPanel = { [weak self] in self?.openPanel() }
        emoji.onChoice = { [weak self] text in self?.type(text) }
        nextKeyboard.addTarget(
            self, action: #selector(handleInputModeList(from:with:)), for: .allTouchEvents)
        do {
            try makeKeyboard()
        } catch {
            report(error)
        }
    }

    private func makeKeyboard() throws {
        let own = try FileManager.default.url(
            for: .applicationSupportDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
        let files = RunningKeyboard.Files(
            shared: SharedContainer.ofAppGroup, own: own, lexicons: Bundle.main.bundleURL)
        let memory = ProcessInfo.processInfo.physicalMemory
        let keyboard = try RunningKeyboard(files, deviceMemory: memory) { [weak self] in self?.report($0) }
        keyboard.onChange = { [weak self] in self?.draw() }
        self.keyboard = keyboard
        pressure = MemoryPressureMonitor { [weak self] pressure in
            Task { @MainActor in
                guard let self else { return }
                self.keyboard?.governor.handleMemoryPressure(pressure, at: self.now)
            }
        }
    }

    override func viewWillAppear(_ animated: Bool) {
        super.viewWillAppear(animated)
        overrideUserInterfaceStyle = textDocumentProxy.keyboardAppearance == .dark ? .dark : .unspecified
        keyboard?.appear(document, at: now)
        schedule()
        // The system may say so twice in a row.
        memoryTimer?.invalidate()
        memoryTimer = Timer.scheduledTimer(withTimeInterval: Self.memoryInterval, repeats: true) { [weak self] _ in
            MainActor.assumeIsolated {
                guard let self else { return }
                self.keyboard?.governor.check(at: self.now)
            }
        }
        draw()
    }

    override func viewDidDisappear(_ animated: Bool) {
        super.viewDidDisappear(animated)
        tick?.invalidate()
        memoryTimer?.invalidate()
        keyboard?.disappear(at: now)
        closePanel()
    }

    override func didReceiveMemoryWarning() {
        super.didReceiveMemoryWarning()
        keyboard?.governor.handleMemoryPressure(.warning, at: now)
    }

    override func textDidChange(_ textInput: (any UITextInput)?) {
        change { $0.documentDidChange(at: $1) }
    }

    override func selectionDidChange(_ textInput: (any UITextInput)?) {
        change { $0.documentDidChange(at: $1) }
    }

    override func viewDidLayoutSubviews() {
        super.viewDidLayoutSubviews()
        draw()
    }

    // MARK: The user

    func press(_ key: KeyboardKey, at point: CGPoint?) {
        if panel?.take(key) == true { return }
        let plane = try? plane()
        change { $0.press(key, tap: point.flatMap { plane?.tap(at: $0, on: key) }, at: $1) }
    }

    func type(_ text: String) {
        if panel?.take(text) == true { return }
        change { $0.type(text, at: $1) }
    }

    func moveCursor(by characters: Int) {
        change { $0.moveCursor(by: characters, at: $1) }
    }

    func acceptGhost(_ part: GhostPart) {
        change { $0.acceptGhost(part, at: $1) }
    }

    private func change(_ work: (KeyboardModel, Duration) -> Void) {
        guard let keyboard else { return }
        work(keyboard.model, now)
        schedule()
    }

    private func schedule() {
        tick?.invalidate()
        guard let due = keyboard?.model.nextTick else { return }
        let wait = max(0, (due - now).timeInterval)
        tick = Timer.scheduledTimer(withTimeInterval: wait, repeats: false) { [weak self] _ in
            MainActor.assumeIsolated { self?.change { $0.tick(at: $1) } }
        }
    }

    // MARK: The panel

    private func openPanel() {
        guard let keyboard else { return }
        do {
            let words = try keyboard.learnedWords.map { try LearnedWords($0) }
            let panel = PanelView(
                words: words, measured: MeasuredValue.all(keyboard.count, try keyboard.model.engine.stats),
                exports: keyboard.model.takesLines)
            panel.onClose = { [weak self] in self?.closePanel() }
            panel.onError = { [weak self] in self?.report($0) }
            panel.onExport = { [weak self] in
                guard let self, let words else { return }
                do {
                    let text = try words.exportText()
                    self.closePanel()
                    self.change { $0.insertForeign(text, at: $1) }
                } catch {
                    self.report(error)
                }
            }
            self.panel = panel
            // Below what floats above the keys.
            view.insertSubview(panel, belowSubview: keys)
            draw()
        } catch {
            report(error)
        }
    }

    private func closePanel() {
        panel?.removeFromSuperview()
        panel = nil
        draw()
    }

    // MARK: Drawing

    private func plane() throws -> KeyboardPlane? {
        guard let keyboard, keys.bounds.width > 0 else { return nil }
        return try KeyboardPlane(
            keyboard.model.page, of: keyboard.layout, size: keys.bounds.size,
            hasNextKeyboardKey: needsInputModeSwitchKey)
    }

    private func draw() {
        guard let keyboard = keyboard?.model, view.bounds.width > 0 else { return }
        let screen = view.window?.screen.bounds.height ?? UIScreen.main.bounds.height
        let width = view.bounds.width
        let keysHeight = KeyboardPlane.height(forWidth: width, screenHeight: screen)
        let top =
            panel == nil
            ? Self.stripHeight : KeyboardPlane.panelHeight(aboveKeys: keysHeight, screenHeight: screen)
        height.constant = top + keysHeight
        strip.isHidden = panel != nil
        strip.frame = CGRect(x: 0, y: 0, width: width, height: Self.stripHeight)
        panel?.frame = CGRect(x: 0, y: 0, width: width, height: top)
        keys.frame = CGRect(x: 0, y: top, width: width, height: keysHeight)
        emoji.isHidden = keyboard.page != .emoji
        emoji.frame = CGRect(x: 0, y: top, width: width, height: (keysHeight * 3 / 4).rounded())
        strip.show(keyboard.strip)
        do {
            guard let plane = try plane() else { return }
            keys.show(
                plane, shift: keyboard.shift, hasGhost: !keyboard.strip.ghost.isEmpty,
                returnKey: keyboard.returnKey, nextKeyboard: nextKeyboard)
        } catch {
            report(error)
        }
    }

    /// Errors never hold what was typed.
    private func report(_ error: any Error) {
        log.error("\((error as? NibbleError)?.code ?? String(describing: Swift.type(of: error)), privacy: .public)")
    }
}
