import Nibble
import NibbleKeyboardAdapter
import UIKit
import os

/// The keyboard as the system sees it. It passes touches on and draws what ``KeyboardModel`` says.
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
    private var layout: KeyboardLayout?
    private var keyboard: KeyboardModel?
    private var governor: MemoryGovernor?
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
        strip.onGhost = { [weak self] in self?.change { $0.acceptGhost(.all, at: $1) } }
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
        let container = SharedContainer.ofAppGroup
        let preferences = try container.map { try Preferences.read(from: $0.preferences) } ?? Preferences()
        let own = try FileManager.default.url(
            for: .applicationSupportDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
        let engine = try KeyboardEngine.make(
            preferences: preferences, lexicons: Bundle.main.bundleURL,
            learnedWords: own.appendingPathComponent("learned-words"))
        layout = try KeyboardLayout(named: preferences.layout)
        let keyboard = try KeyboardModel(engine: engine, settings: preferences.keyboardSettings)
        keyboard.onChange = { [weak self] in self?.draw() }
        keyboard.onError = { [weak self] in self?.report($0) }
        self.keyboard = keyboard

        let name = preferences.model
        let memory = ProcessInfo.processInfo.physicalMemory
        let governor = MemoryGovernor(engine: engine) {
            guard let model = try container?.model(named: name, deviceMemory: memory) else { return nil }
            return try await Model(contentsOf: model.url, options: ModelOptions(threads: 2, kvFormat: .q8))
        }
        governor.onError = { [weak self] in self?.report($0) }
        self.governor = governor
        pressure = MemoryPressureMonitor { [weak self] pressure in
            Task { @MainActor in
                guard let self else { return }
                self.governor?.handleMemoryPressure(pressure, at: self.now)
            }
        }
    }

    override func viewWillAppear(_ animated: Bool) {
        super.viewWillAppear(animated)
        overrideUserInterfaceStyle = textDocumentProxy.keyboardAppearance == .dark ? .dark : .unspecified
        governor?.appear(at: now)
        change { $0.appear(self.document, at: $1) }
        memoryTimer = Timer.scheduledTimer(withTimeInterval: Self.memoryInterval, repeats: true) { [weak self] _ in
            MainActor.assumeIsolated {
                guard let self else { return }
                self.governor?.check(at: self.now)
            }
        }
        draw()
    }

    override func viewDidDisappear(_ animated: Bool) {
        super.viewDidDisappear(animated)
        tick?.invalidate()
        memoryTimer?.invalidate()
        keyboard?.disappear(at: now)
        governor?.disappear()
    }

    override func didReceiveMemoryWarning() {
        super.didReceiveMemoryWarning()
        governor?.handleMemoryPressure(.warning, at: now)
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
        let plane = try? plane()
        change { $0.press(key, tap: point.flatMap { plane?.tap(at: $0, on: key) }, at: $1) }
    }

    func type(_ text: String) {
        change { $0.type(text, at: $1) }
    }

    func moveCursor(by characters: Int) {
        change { $0.moveCursor(by: characters, at: $1) }
    }

    private func change(_ work: (KeyboardModel, Duration) -> Void) {
        guard let keyboard else { return }
        work(keyboard, now)
        schedule()
    }

    private func schedule() {
        tick?.invalidate()
        guard let due = keyboard?.nextTick else { return }
        let wait = max(0, (due - now).timeInterval)
        tick = Timer.scheduledTimer(withTimeInterval: wait, repeats: false) { [weak self] _ in
            MainActor.assumeIsolated { self?.change { $0.tick(at: $1) } }
        }
    }

    // MARK: Drawing

    private func plane() throws -> KeyboardPlane? {
        guard let layout, let keyboard, keys.bounds.width > 0 else { return nil }
        return try KeyboardPlane(
            keyboard.page, of: layout, size: keys.bounds.size, hasNextKeyboardKey: needsInputModeSwitchKey)
    }

    private func draw() {
        guard let keyboard, view.bounds.width > 0 else { return }
        let screen = view.window?.screen.bounds.height ?? UIScreen.main.bounds.height
        let keysHeight = KeyboardPlane.height(forWidth: view.bounds.width, screenHeight: screen)
        height.constant = Self.stripHeight + keysHeight
        strip.frame = CGRect(x: 0, y: 0, width: view.bounds.width, height: Self.stripHeight)
        keys.frame = CGRect(x: 0, y: Self.stripHeight, width: view.bounds.width, height: keysHeight)
        emoji.isHidden = keyboard.page != .emoji
        emoji.frame = CGRect(
            x: 0, y: Self.stripHeight, width: view.bounds.width, height: (keysHeight * 3 / 4).rounded())
        strip.show(keyboard.strip)
        do {
            guard let plane = try plane() else { return }
            keys.show(
                plane, shift: keyboard.shift, returnKey: keyboard.returnKey, nextKeyboard: nextKeyboard)
        } catch {
            report(error)
        }
    }

    /// Errors never hold what was typed.
    private func report(_ error: any Error) {
        log.error("\((error as? NibbleError)?.code ?? String(describing: Swift.type(of: error)), privacy: .public)")
    }
}
