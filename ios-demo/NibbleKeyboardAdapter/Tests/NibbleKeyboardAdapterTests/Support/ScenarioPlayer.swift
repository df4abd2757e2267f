import Foundation
import Nibble
@testable import NibbleKeyboardAdapter

/// Plays a scenario of `rust/nibble-keyboard/scenarios` through the adapter against a field of UIKit's shape. The format
/// is described in the README there.
@MainActor
final class ScenarioPlayer {
    private let controller: KeyboardController
    private let behaviour: RecordedBehaviour
    private let adapter: EditorAdapter
    private let reports: ScenarioTiming
    private let answers: ScenarioTiming
    private let windowLength: Int?
    private var document = FakeTextDocument()
    private var isSecret = false
    private var isFocused = false
    private var time = 0
    private var composing = ""
    /// How often the return key was to do what the field has it for.
    private var performed = 0
    private var record = ScenarioRecord()

    /// Scenarios in which the controller must learn that a window reaches to the end of the text. UIKit does not say it.
    private static let knowingEnds = [
        "Text that a report knows and the controller does not is taken over",
        "Text behind the cursor that a report knows and the controller does not is taken over",
        "Text more than a thousand characters behind the cursor is forgotten",
    ]

    /// Whether a field of UIKit's shape can be as the scenario's: it has no positions to report.
    static func canPlay(_ scenario: JSONValue) -> Bool {
        scenario["reports"]?["carry"]?.string != "positions"
            && !knowingEnds.contains(scenario["name"]?.string ?? "")
    }

    /// Plays the scenario; throws where something is otherwise.
    static func play(_ scenario: JSONValue) throws {
        let player = try ScenarioPlayer(scenario)
        for (index, step) in (scenario["steps"]?.array ?? []).enumerated() {
            do {
                try player.step(step)
                try player.checkReturns()
            } catch {
                throw ScenarioError("step \(index + 1): \(error)")
            }
        }
        try player.settle()
    }

    private init(_ scenario: JSONValue) throws {
        try scenario.allowOnly("name", "settings", "field", "text", "reports", "steps")
        let settings = try KeyboardSettings(json: (scenario["settings"] ?? .object([:])).text)
        controller = try KeyboardController(settings: settings)
        behaviour = RecordedBehaviour(controller)
        let spec = scenario["reports"] ?? .object([:])
        // Without positions there is nothing to count in units, and each report tells all that has changed.
        try spec.allowOnly("when", "carry", "window", "unit", "answers")
        reports = try ScenarioTiming(spec["when"])
        answers = try ScenarioTiming(spec["answers"])
        windowLength = spec["window"]?.int
        adapter = EditorAdapter(behaviour, settings: settings, cutLength: windowLength ?? 100)
        try focus(scenario["field"] ?? .object([:]), text: scenario["text"]?.string ?? "")
        record.begin()
    }

    // MARK: Events

    private func focus(_ spec: JSONValue, text marked: String) throws {
        let marked = try MarkedText(marked)
        try spec.allowOnly("kind", "capitals", "multi_line", "action", "limit")
        performed = 0
        document = FakeTextDocument(marked.text, traits: try Self.traits(spec))
        document.change { state in
            state.start = marked.start
            state.end = marked.end
        }
        document.settle()
        document.limit = spec["limit"]?.int
        document.hasOneLine = spec["multi_line"]?.bool != true
        document.coalesces = reports == .coalesced
        document.windowLength = windowLength ?? Int.max
        isSecret = document.traits.fieldKind == .password
        isFocused = true
        try event { try self.adapter.focus(self.document, at: $0) }
    }

    /// The traits of a field of UIKit's that is what the scenario says.
    private static func traits(_ spec: JSONValue) throws -> TextInputTraits {
        var traits = TextInputTraits()
        switch try spec["kind"]?.string.map(FieldKind.init(wireName:)) ?? .message {
        case .message:
            // Whoever searches is in a search field.
            if spec["action"]?.string == "search" { throw NoSuchField() }
        case .search: traits.keyboardType = .webSearch
        case .url: traits.keyboardType = .url
        case .number: traits.keyboardType = .number
        case .password: traits.isSecureTextEntry = true
        case .email, .note, .noLearning: throw NoSuchField()
        }
        switch try spec["capitals"]?.string.map(CapitalsMode.init(wireName:)) ?? .sentences {
        case .never: traits.autocapitalization = .none
        case .words: traits.autocapitalization = .words
        case .sentences: break
        case .characters: traits.autocapitalization = .allCharacters
        }
        switch try spec["action"]?.string.map(EditorAction.init(wireName:)) ?? .default {
        case .default: break
        case .go: traits.returnKey = .go
        case .search: traits.returnKey = .search
        case .send: traits.returnKey = .send
        case .next: traits.returnKey = .next
        case .done: traits.returnKey = .done
        case .previous: throw NoSuchField()
        }
        return traits
    }

    /// UIKit has no such field.
    struct NoSuchField: Error {}

    private func event(_ work: (Duration) throws -> [KeyboardAction]) throws {
        time += 100
        try note(try work(.milliseconds(time)))
        if reports == .atOnce { try deliver(Int.max) }
    }

    private func press(_ event: KeyboardEvent) throws {
        try self.event { try adapter.handle(event, at: $0) }
    }

    /// Keeps what happened. Where the field answers at once, it does.
    private func note(_ viewActions: [KeyboardAction]) throws {
        var shown: [KeyboardAction] = []
        for action in behaviour.takeActions() {
            record.note(action)
            switch action {
            case .edit, .finishComposing: composing = ""
            case .compose(let text): composing = text
            case .performAction: performed += 1
            case .readText: break
            default: shown.append(action)
            }
        }
        guard shown == viewActions else { throw ScenarioError("the view is told \(viewActions), not \(shown)") }
        document.endBatch()
        if answers == .atOnce || !adapter.hasQuestion { try catchUp() }
    }

    /// The field has settled, whatever was reported of it.
    private func catchUp() throws {
        guard let due = adapter.catchUpIsDue else { return }
        let shown = document.shown
        if adapter.hasQuestion { document.shown = document.state }
        try note(try adapter.catchUp(at: due))
        document.shown = shown
    }

    private func deliver(_ count: Int) throws {
        var left = count
        while left > 0, document.showNext() {
            try note(try adapter.documentDidChange(at: .milliseconds(time)))
            left -= 1
        }
    }

    // MARK: Steps

    private func step(_ step: JSONValue) throws {
        if let word = step.string {
            switch word {
            case "blur":
                isFocused = false
                try event { try adapter.blur(at: $0) }
            case "idle": try press(.idle)
            default: throw ScenarioError("no step is called \(word)")
            }
            return
        }
        guard let (name, value) = step.object?.first, step.object?.count == 1 else {
            throw ScenarioError("no step: \(step)")
        }
        if let events = try record.events(of: name, value) {
            for event in events { try press(event) }
            return
        }
        switch (name, value) {
        case ("configure", .object):
            let settings = try KeyboardSettings(json: value.text)
            try event { try adapter.configure(settings, at: $0) }
        case ("focus", .object):
            try value.allowOnly("field", "text")
            try focus(value["field"] ?? .object([:]), text: value["text"]?.string ?? "")
        case ("cursor", .number(let at)): try foreign { $0.start = Int(at); $0.end = Int(at) }
        case ("select", .array(let range)):
            guard let start = range.first?.int, let end = range.last?.int, range.count == 2 else {
                throw ScenarioError("no selection: \(value)")
            }
            try foreign { $0.start = start; $0.end = end }
        case ("paste", .string(let text)):
            composing = ""
            try foreign { $0.insert(text) }
        case ("set_text", .string(let marked)):
            composing = ""
            let marked = try MarkedText(marked)
            try foreign { state in
                state = FakeTextDocument.State(marked.text)
                state.start = marked.start
                state.end = marked.end
            }
        case ("deliver", .number(let count)):
            try catchUp()
            try deliver(Int(count))
        case ("wait", .number(let milliseconds)): time += Int(milliseconds)
        case ("expect", .object): try record.expect(value, text: marked, composing: composing)
        default: throw ScenarioError("no step: \(step)")
        }
    }

    /// What enter performs is the field's to do, when it gets a line feed.
    private func checkReturns() throws {
        guard document.hasOneLine, document.returns != performed else { return }
        throw ScenarioError("the return key worked \(document.returns) times instead of \(performed)")
    }

    private func foreign(_ change: (inout FakeTextDocument.State) -> Void) throws {
        time += 100
        document.change(change)
        if reports == .atOnce { try deliver(Int.max) }
    }

    // MARK: The end

    /// Everything arrives; then the controller must know the field.
    private func settle() throws {
        try catchUp()
        try deliver(Int.max)
        try catchUp()
        time += 10_000
        try note(try adapter.handle(.idle, at: .milliseconds(time)))
        try catchUp()
        let mirror = try controller.mirror
        guard isFocused, !isSecret else {
            guard mirror == EditorText() else { throw ScenarioError("text is kept") }
            return
        }
        let field = document.state
        let agrees =
            JSONValue.string(mirror.selected) == .string(field.selected)
            && Self.ends(field.before, with: mirror.before, wholly: !mirror.isBeforeCut)
            && Self.ends(Self.turned(field.after), with: Self.turned(mirror.after), wholly: !mirror.isAfterCut)
        guard agrees, try !controller.isUnsure else {
            throw ScenarioError("mirror \(mirror), field \(field.before)|\(field.selected)|\(field.after)")
        }
    }

    private static func turned(_ text: String) -> String { String(Array(text.unicodeScalars.reversed())[...]) }

    private static func ends(_ text: String, with end: String, wholly: Bool) -> Bool {
        let (text, end) = (Array(text.unicodeScalars), Array(end.unicodeScalars))
        return text.suffix(end.count) == end[...] && (!wholly || text.count == end.count)
    }

    /// The field's text with its marks.
    private var marked: String {
        let state = document.state
        return MarkedText.marking(before: state.before, selected: state.selected, after: state.after)
    }
}
