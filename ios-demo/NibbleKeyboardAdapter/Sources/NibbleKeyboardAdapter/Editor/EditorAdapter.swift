import Foundation
import Nibble

/// What turns events into actions: a ``/Nibble/TypingSession``, or a ``/Nibble/KeyboardController`` alone, as where the
/// answers of an engine come from a script.
public protocol KeyboardBehaviour: Sendable {
    /// Takes an event and says what the shell is to do, in order.
    func handle(_ event: KeyboardEvent, at time: Duration?) throws -> [KeyboardAction]
    /// The text field as it will be when all edits have arrived.
    var mirror: EditorText { get throws }
}

extension TypingSession: KeyboardBehaviour {}
extension KeyboardController: KeyboardBehaviour {}

/// Stands between a text field of UIKit's shape and the keyboard's behaviour: carries edits out, and tells what the
/// field shows. It holds no rule of typing.
///
/// Text that is being composed is not marked in the field: `setMarkedText` can only mark what it inserts, and apps treat
/// marked text as not yet typed.
@MainActor
public final class EditorAdapter {
    /// How long after an edit the field may still show less than all of it.
    public static let settlingTime = Duration.milliseconds(60)

    private let behaviour: any KeyboardBehaviour
    private var settings: KeyboardSettings
    /// The settings as the present field allows them, once told.
    private var toldSettings: KeyboardSettings?
    private var window: EditorWindow
    private weak var proxy: (any TextDocumentProxy)?
    private var field: (identifier: UUID, traits: TextInputTraits)?
    /// A question about the field's text that was not answered yet.
    private var reading: (serial: UInt64, asked: Duration, editsSince: [TextEdit])?
    /// When the latest edit was made.
    private var edited: Duration?
    /// Whether a change was reported that is looked at once the field has settled.
    private var changed = false
    /// By how many characters the edits so far have made the text longer.
    private(set) var charactersAdded = 0

    /// An adapter without a field.
    ///
    /// - Parameter cutLength: UTF-16 code units from which on the text that the field shows is taken for cut.
    public init(
        _ behaviour: any KeyboardBehaviour, settings: KeyboardSettings = KeyboardSettings(),
        cutLength: Int = 100
    ) {
        self.behaviour = behaviour
        self.settings = settings
        window = EditorWindow(cutLength: cutLength)
    }

    /// Traits of the field that has the focus.
    public var traits: TextInputTraits? { field?.traits }

    /// When ``catchUp(at:)`` is to be called; `nil` where nothing waits.
    public var catchUpIsDue: Duration? {
        guard reading != nil || changed else { return nil }
        return [reading?.asked, edited].compactMap { $0 }.max().map { $0 + Self.settlingTime }
    }

    /// Whether the behaviour waits for a reading of the field.
    var hasQuestion: Bool { reading != nil }

    // MARK: What the system says

    /// The keyboard appeared, or serves another field. Actions that are left are the view's.
    public func focus(_ proxy: any TextDocumentProxy, at time: Duration) throws -> [KeyboardAction] {
        self.proxy = proxy
        return try begin(proxy, at: time)
    }

    /// The keyboard disappeared.
    public func blur(at time: Duration) throws -> [KeyboardAction] {
        forget()
        field = nil
        defer { proxy = nil }
        return try handle(.blur, at: time)
    }

    /// `textDidChange` or `selectionDidChange` came: the field's text, its cursor, or the field itself is another.
    public func documentDidChange(at time: Duration) throws -> [KeyboardAction] {
        guard let proxy, let field else { return [] }
        guard field.identifier == proxy.documentIdentifier, field.traits == proxy.traits else {
            return try begin(proxy, at: time)
        }
        guard field.traits.fieldKind != .password else { return [] }
        let known = try behaviour.mirror
        let isSettled = edited.map { time >= $0 + Self.settlingTime } ?? true
        let text = window.read(proxy, known: isSettled && reading == nil ? known : nil)
        // The system reports each of several calls. What is between two of them nobody has typed.
        if !isSettled && !text.agrees(with: known) {
            changed = true
            return []
        }
        changed = false
        return try handle(.editor(EditorUpdate(text: text)), at: time)
    }

    private func begin(_ proxy: any TextDocumentProxy, at time: Duration) throws -> [KeyboardAction] {
        let traits = proxy.traits
        field = (proxy.documentIdentifier, traits)
        forget()
        window.reset()
        var actions = try configure(at: time)
        // What stands in a password is not even read.
        let text = traits.fieldKind == .password ? EditorText() : window.read(proxy, known: nil)
        let focus = FieldFocus(
            kind: traits.fieldKind, capitals: traits.capitals, isMultiLine: traits.isMultiLine,
            action: traits.action, text: text)
        actions += try handle(.focus(focus), at: time)
        return actions
    }

    private func forget() {
        reading = nil
        edited = nil
        changed = false
    }

    /// Looks at a field that has settled: for a change that was reported meanwhile, or a question of the behaviour.
    public func catchUp(at time: Duration) throws -> [KeyboardAction] {
        guard let due = catchUpIsDue, time >= due, let proxy, let field else { return [] }
        guard field.identifier == proxy.documentIdentifier else { return try begin(proxy, at: time) }
        let text = window.read(proxy, known: reading == nil ? try behaviour.mirror : nil)
        // The answer is what stood there when it was asked. Where nobody can say, it is asked again.
        let asked = reading.flatMap { text.before($0.editsSince) }
        let update = EditorUpdate(text: asked ?? text, answers: asked == nil ? nil : reading?.serial)
        reading = nil
        changed = false
        return try handle(.editor(update), at: time)
    }

    // MARK: What the user does

    /// Takes an event, carries out the edits that follow and gives the actions that are the view's.
    public func handle(_ event: KeyboardEvent, at time: Duration) throws -> [KeyboardAction] {
        let text = try behaviour.mirror
        return carryOut(try behaviour.handle(event, at: time), on: text, at: time)
    }

    /// Whether a text of several lines may be inserted: not where a line feed sends or searches.
    public var takesLines: Bool {
        guard let traits = field?.traits else { return false }
        return traits.isMultiLine && traits.fieldKind != .password
    }

    /// Puts a text that nobody typed into the field, which the behaviour then takes for another's change.
    public func insertForeign(_ text: String, at time: Duration) {
        guard let proxy else { return }
        proxy.insertText(text)
        edited = time
        changed = true
    }

    /// Other settings of the user, as far as the field allows them.
    public func configure(_ settings: KeyboardSettings, at time: Duration) throws -> [KeyboardAction] {
        self.settings = settings
        return try configure(at: time)
    }

    private func configure(at time: Duration) throws -> [KeyboardAction] {
        let allowed = field?.traits.allowed(settings) ?? settings
        guard allowed != toldSettings else { return [] }
        toldSettings = allowed
        return try handle(.configure(allowed), at: time)
    }

    /// Carries out actions that came by another way than ``handle(_:at:)``, such as the model's answer; `text` is the
    /// field's text before them.
    public func carryOut(_ actions: [KeyboardAction], on text: EditorText, at time: Duration) -> [KeyboardAction] {
        var text = text
        return actions.filter { action in
            switch action {
            case .edit(let edit):
                reading?.editsSince.appendMerging(edit)
                edited = time
                charactersAdded += edit.charactersAdded(to: text)
                for edit in ProxyEdit.edits(for: edit, in: &text) { proxy?.carryOut(edit) }
                return false
            case .performAction:
                edited = time
                proxy?.insertText("\n")
                return false
            case .readText(let serial):
                reading = (serial, time, [])
                return false
            case .compose, .finishComposing:
                return false
            case .showStrip, .showShift, .showLayout, .showGhost, .request, .notify:
                return true
            }
        }
    }
}

extension TextEdit {
    /// By how many characters it makes a text longer.
    fileprivate func charactersAdded(to text: EditorText) -> Int {
        switch self {
        case .insert(let inserted): inserted.count - text.selected.count
        case .delete(let before, let after): -before.count - after.count
        case .deleteSelection: -text.selected.count
        case .pressBackspace: -1
        case .moveCursor: 0
        }
    }
}
