import Foundation
import Nibble

/// A whole keyboard but for its picture: touches in, what is to be drawn out. Everything happens on the main thread and
/// nothing in it waits for the model.
@MainActor
public final class KeyboardModel {
    /// The page that is shown.
    public private(set) var page = LayoutPage.letters
    /// How the shift key and the letters are drawn.
    public private(set) var shift = ShiftState.off
    /// The strip above the keys.
    public private(set) var strip = SuggestionStrip()
    /// Keys and characters since the keyboard was made; those of passwords are not counted.
    public private(set) var count = KeystrokeCount()
    /// Called when something is to be drawn anew.
    public var onChange: () -> Void = {}
    /// Called with what went wrong; the keyboard works on.
    public var onError: (any Error) -> Void = { _ in }

    /// What suggests.
    public let engine: TypingEngine
    private let session: TypingSession
    private let adapter: EditorAdapter
    private var timer = TypingTimer()

    /// A keyboard on an engine.
    public init(engine: TypingEngine, settings: KeyboardSettings = KeyboardSettings()) throws {
        self.engine = engine
        session = try TypingSession(engine: engine, settings: settings)
        adapter = EditorAdapter(session, settings: settings)
    }

    /// Gives the keyboard up, and its engine where nobody else has it.
    public func close() {
        session.close()
    }

    /// What the return key does in the field.
    public var returnKey: TextInputTraits.ReturnKey { adapter.traits?.returnKey ?? .default }

    // MARK: What the system says

    /// The keyboard appeared at a field.
    public func appear(_ proxy: any TextDocumentProxy, at time: Duration) {
        perform(at: time) { try adapter.focus(proxy, at: time) }
    }

    /// The keyboard disappeared.
    public func disappear(at time: Duration) {
        perform(at: time) { try adapter.blur(at: time) }
        timer.stop()
        strip = SuggestionStrip()
        onChange()
    }

    /// The field's text, its selection, or the field itself changed.
    public func documentDidChange(at time: Duration) {
        perform(at: time) { try adapter.documentDidChange(at: time) }
    }

    /// The user's settings changed.
    public func configure(_ settings: KeyboardSettings, at time: Duration) {
        perform(at: time) { try adapter.configure(settings, at: time) }
    }

    // MARK: What the user does

    /// A key was pressed. The system itself changes to the next keyboard.
    ///
    /// - Parameter tap: Where, as ``KeyboardPlane/tap(at:on:)`` says; `nil` where it is not known.
    public func press(_ key: KeyboardKey, tap: Tap? = nil, at time: Duration) {
        switch key.action {
        case .character(let text): handle(.character(text, tap: tap), at: time)
        case .space: handle(.space, at: time)
        case .shift: handle(.shift, isKeystroke: false, at: time)
        case .backspace: handle(.backspace, at: time)
        case .enter: handle(.enter, at: time)
        case .showPage(let page): handle(.layout(page), isKeystroke: false, at: time)
        case .nextKeyboard: break
        }
    }

    /// Something was chosen that a held key offers, or on the page of emoji.
    public func type(_ text: String, at time: Duration) {
        handle(.character(text), at: time)
    }

    /// A slot of the strip was tapped.
    public func tap(_ slot: SuggestionStrip.Slot, at time: Duration) {
        handle(slot.event, at: time)
    }

    /// The ghost text was tapped, or space was swiped.
    public func acceptGhost(_ part: GhostPart, at time: Duration) {
        handle(.acceptGhost(part), at: time)
    }

    /// A finger slid on the space bar.
    public func moveCursor(by characters: Int, at time: Duration) {
        handle(.moveCursor(by: characters), isKeystroke: false, at: time)
    }

    /// Whether the field takes a text of several lines, such as an export.
    public var takesLines: Bool { adapter.takesLines }

    /// Puts a text into the field that the user did not type, and from which nothing is learned.
    public func insertForeign(_ text: String, at time: Duration) {
        timer.touched(at: time)
        adapter.insertForeign(text, at: time)
    }

    private func handle(_ event: KeyboardEvent, isKeystroke: Bool = true, at time: Duration) {
        let before = adapter.charactersAdded
        perform(at: time) { try adapter.handle(event, at: time) }
        guard isKeystroke, adapter.traits?.fieldKind != .password else { return }
        count.pressed(adding: adapter.charactersAdded - before)
    }

    // MARK: Time

    /// When ``tick(at:)`` is to be called; `nil` where nothing waits. It changes with every event.
    public var nextTick: Duration? {
        let typing = timer.next(awaitsModel: awaitsModel, hasGhost: !strip.ghost.isEmpty)
        return [typing, adapter.catchUpIsDue].compactMap { $0 }.min()
    }

    /// Does what is due.
    public func tick(at time: Duration) {
        do {
            draw(try adapter.catchUp(at: time))
            if awaitsModel {
                if timer.takePoll(at: time) { try carryOut(at: time) { try session.poll(at: time) } }
            } else if strip.ghost.isEmpty, timer.takeForesee(at: time) {
                try carryOut(at: time) { try session.foresee(at: time) }
            }
            if timer.takeIdle(at: time) {
                draw(try adapter.handle(.idle, at: time))
                try session.checkLearning()
            }
        } catch {
            onError(error)
        }
    }

    /// Whether the model has something to say that was not heard yet.
    var awaitsModel: Bool { (try? session.awaitsModel) ?? false }

    private func carryOut(at time: Duration, _ work: () throws -> [KeyboardAction]) throws {
        let text = try session.mirror
        draw(adapter.carryOut(try work(), on: text, at: time))
    }

    private func perform(at time: Duration, _ work: () throws -> [KeyboardAction]) {
        timer.touched(at: time)
        do {
            draw(try work())
        } catch {
            onError(error)
        }
    }

    private func draw(_ actions: [KeyboardAction]) {
        guard !actions.isEmpty else { return }
        for action in actions {
            switch action {
            case .showStrip(let new): strip.show(new)
            case .showGhost(let text): strip.showGhost(text)
            case .showShift(let state): shift = state
            case .showLayout(let shown): page = shown
            default: break
            }
        }
        onChange()
    }
}
