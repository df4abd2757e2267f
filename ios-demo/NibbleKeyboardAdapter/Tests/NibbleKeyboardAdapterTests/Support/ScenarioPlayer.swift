import Foundation
import Nibble
@testable import NibbleKeyboardAdapter

/// What was otherwise than a scenario says, or what in the scenario cannot be read.
struct ScenarioError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Plays a scenario of `rust/nibble-keyboard/scenarios` through the adapter against a field of UIKit's shape. The format
/// is described in the README there.
@MainActor
final class ScenarioPlayer {
    private enum When: String {
        case atOnce = "at_once"
        case onDemand = "on_demand"
        case coalesced
    }

    private let controller: KeyboardController
    private let behaviour: RecordedBehaviour
    private let adapter: EditorAdapter
    private let reports: When
    private let answers: When
    private let windowLength: Int?
    private var document = FakeTextDocument()
    private var isSecret = false
    private var isFocused = false
    private var time = 0
    private var strips: [Strip?] = [nil]
    private var requests: [EngineRequest] = []
    private var ghost = ""
    private var composing = ""
    private var shift = ShiftState.off
    private var layout = LayoutPage.letters
    private var since = Since()

    private struct Since {
        var edits: [JSONValue] = []
        var requests = 0
        var notices: [JSONValue] = []
        var performed: [JSONValue] = []
        var reads = 0
    }

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
            } catch {
                throw ScenarioError("step \(index + 1): \(error)")
            }
        }
        try player.settle()
    }

    private init(_ scenario: JSONValue) throws {
        let settings = try KeyboardSettings(json: (scenario["settings"] ?? .object([:])).text)
        controller = try KeyboardController(settings: settings)
        behaviour = RecordedBehaviour(controller)
        let spec = scenario["reports"] ?? .object([:])
        reports = try Self.when(spec["when"])
        answers = try Self.when(spec["answers"])
        windowLength = spec["window"]?.int
        adapter = EditorAdapter(behaviour, settings: settings, cutLength: windowLength ?? 100)
        try focus(scenario["field"] ?? .object([:]), text: scenario["text"]?.string ?? "")
        since = Since()
    }

    private static func when(_ json: JSONValue?) throws -> When {
        guard let json else { return .atOnce }
        guard let when = json.string.flatMap(When.init) else { throw ScenarioError("no time is called \(json)") }
        return when
    }

    // MARK: Events

    private func focus(_ spec: JSONValue, text marked: String) throws {
        let (text, start, end) = try Self.unmark(marked)
        document = FakeTextDocument(text, traits: try Self.traits(spec))
        document.change { state in
            state.start = start
            state.end = end
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
            switch action {
            case .edit(let edit):
                since.edits.append(edit.wireForm)
                composing = ""
            case .performAction(let action): since.performed.append(.string(action.wireName))
            case .readText: since.reads += 1
            case .compose(let text): composing = text
            case .finishComposing: composing = ""
            default: shown.append(action)
            }
        }
        guard shown == viewActions else { throw ScenarioError("the view is told \(viewActions), not \(shown)") }
        for action in viewActions {
            switch action {
            case .showStrip(let strip): strips.append(strip)
            case .showShift(let state): shift = state
            case .showLayout(let page): layout = page
            case .showGhost(let text): ghost = text
            case .request(let request):
                since.requests += 1
                requests.append(request)
            case .notify(let notice): since.notices.append(notice.wireForm)
            default: break
            }
        }
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
        switch (name, value) {
        case ("type", .string(let text)):
            for key in text.unicodeScalars {
                switch key {
                case " ": try press(.space)
                case "\n": try press(.enter)
                default: try press(.character(String(key)))
                }
            }
        case ("key", .object): try press(.character(value["text"]?.string ?? "", tap: Tap(value["tap"])))
        case ("backspace", .number(let count)): for _ in 0..<Int(count) { try press(.backspace) }
        case ("shift", .number(let count)): for _ in 0..<Int(count) { try press(.shift) }
        case ("layout", .string(let page)): try press(.layout(try LayoutPage(wireName: page)))
        case ("move_cursor", .number(let by)): try press(.moveCursor(by: Int(by)))
        case ("tap", .string(let text)): try tap(text, stripsAgo: 0)
        case ("tap", .object): try tap(value["text"]?.string ?? "", stripsAgo: value["strips_ago"]?.int ?? 0)
        case ("swipe", .string("word")): try press(.acceptGhost(.word))
        case ("swipe", .string("all")): try press(.acceptGhost(.all))
        case ("answer", .object): try answer(value)
        case ("engine", .string("dead")): try press(.engine(isAlive: false))
        case ("engine", .string("alive")): try press(.engine(isAlive: true))
        case ("configure", .object):
            let settings = try KeyboardSettings(json: value.text)
            try event { try adapter.configure(settings, at: $0) }
        case ("focus", .object): try focus(value["field"] ?? .object([:]), text: value["text"]?.string ?? "")
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
            let (text, start, end) = try Self.unmark(marked)
            try foreign { state in
                state = FakeTextDocument.State(text)
                state.start = start
                state.end = end
            }
        case ("deliver", .number(let count)):
            try catchUp()
            try deliver(Int(count))
        case ("wait", .number(let milliseconds)): time += Int(milliseconds)
        case ("expect", .object): try expect(value)
        default: throw ScenarioError("no step: \(step)")
        }
    }

    private func foreign(_ change: (inout FakeTextDocument.State) -> Void) throws {
        time += 100
        document.change(change)
        if reports == .atOnce { try deliver(Int.max) }
    }

    private func tap(_ text: String, stripsAgo: Int) throws {
        guard strips.count > stripsAgo, let strip = strips[strips.count - 1 - stripsAgo],
            let slot = strip.slots.firstIndex(where: { JSONValue.string($0.text) == .string(text) })
        else { throw ScenarioError("\(text) is in no such strip") }
        try press(.tapSuggestion(strip: strip.serial, slot: slot))
    }

    private func answer(_ spec: JSONValue) throws {
        let ago = spec["requests_ago"]?.int ?? 0
        guard requests.count > ago else { throw ScenarioError("nothing was requested") }
        let items = try (spec["items"]?.array ?? []).map { item in
            Suggestion(
                text: item["text"]?.string ?? "",
                kind: try Suggestion.Kind(wireName: item["kind"]?.string ?? ""),
                replace: item["replace"]?.int ?? 0,
                isAutomatic: item["automatic"]?.bool ?? false
            )
        }
        let epoch = requests[requests.count - 1 - ago].context.epoch
        try press(.answer(Suggestions(epoch: epoch, items: items, isFresh: spec["fresh"]?.bool ?? false)))
    }

    // MARK: Expectations

    private func expect(_ expected: JSONValue) throws {
        let since = since
        self.since = Since()
        let strip = strips.last ?? nil
        for (name, value) in expected.object ?? [:] {
            switch name {
            case "text": try Self.same(name, value, .string(marked))
            case "edits": try Self.same(name, value.withoutEmptyTexts, .array(since.edits))
            case "strip":
                try Self.same(name, value, .array((strip?.slots ?? []).map { .string($0.text) }))
                try Self.same("highlighted", expected["highlighted"] ?? .null, .of(strip?.highlighted))
            case "highlighted": break
            case "ghost": try Self.same(name, value, .string(ghost))
            case "shift": try Self.same(name, value, .string(shift.wireName))
            case "layout": try Self.same(name, value, .string(layout.wireName))
            case "composing": try Self.same(name, value, .string(composing))
            case "requests": try Self.same(name, value, .of(since.requests))
            case "request":
                guard let request = requests.last else { throw ScenarioError("nothing was requested") }
                try Self.same("request before", value["before"], .string(request.context.before))
                try Self.same("request after", value["after"], .string(request.context.after))
                try Self.same("request taps", value["taps"], request.tapsWireForm)
            case "engine": try Self.same(name, value, .array(since.notices))
            case "performed": try Self.same(name, value, .array(since.performed))
            case "reads": try Self.same(name, value, .of(since.reads))
            default: throw ScenarioError("no expectation is called \(name)")
            }
        }
    }

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
        return state.start == state.end
            ? "\(state.before)|\(state.after)" : "\(state.before)⟦\(state.selected)⟧\(state.after)"
    }

    /// Splits marked text: `|` is the cursor, `⟦⟧` enclose a selection; without either the cursor is at the end.
    private static func unmark(_ marked: String) throws -> (String, Int, Int) {
        let scalars = Array(marked.unicodeScalars)
        let text = String(scalars.filter { !["|", "⟦", "⟧"].contains($0) }[...])
        switch (scalars.firstIndex(of: "|"), scalars.firstIndex(of: "⟦"), scalars.firstIndex(of: "⟧")) {
        case (let at?, nil, nil): return (text, at, at)
        case (nil, let start?, let end?) where start < end: return (text, start, end - 1)
        case (nil, nil, nil): return (text, scalars.count, scalars.count)
        default: throw ScenarioError("marks of \(marked)")
        }
    }

    /// Throws unless what was found is what was expected, if anything was.
    private static func same(_ what: String, _ expected: JSONValue?, _ found: JSONValue) throws {
        guard let expected, expected != found else { return }
        throw ScenarioError("\(what): expected \(expected), found \(found)")
    }
}

extension JSONValue {
    /// Edits without the texts that may be left out because they are empty.
    fileprivate var withoutEmptyTexts: JSONValue {
        switch self {
        case .array(let items): .array(items.map(\.withoutEmptyTexts))
        case .object(let members):
            .object(
                members.filter { $0.key != "after" || $0.value != .string("") }.mapValues(\.withoutEmptyTexts))
        default: self
        }
    }
}
