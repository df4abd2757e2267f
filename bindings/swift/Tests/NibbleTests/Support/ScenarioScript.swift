import Nibble

// What everybody who plays scenarios of `rust/nibble-keyboard/scenarios` reads alike, whatever the field is. The format is
// described in the README there.

/// What was otherwise than a scenario says, or what in the scenario cannot be read.
struct ScenarioError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// When a field reports or answers.
enum ScenarioTiming: String {
    case atOnce = "at_once"
    case onDemand = "on_demand"
    case coalesced

    init(_ json: JSONValue?) throws {
        guard let json else {
            self = .atOnce
            return
        }
        guard let timing = json.string.flatMap(Self.init(rawValue:)) else {
            throw ScenarioError("no time is called \(json)")
        }
        self = timing
    }
}

/// A text with its cursor or selection, in Unicode scalars. `|` is the cursor, `⟦⟧` enclose a selection; without either the
/// cursor is at the end.
struct MarkedText {
    let text: String
    let start: Int
    let end: Int

    init(_ marked: String) throws {
        let scalars = Array(marked.unicodeScalars)
        text = String(scalars.filter { !["|", "⟦", "⟧"].contains($0) }[...])
        switch (scalars.firstIndex(of: "|"), scalars.firstIndex(of: "⟦"), scalars.firstIndex(of: "⟧")) {
        case (let at?, nil, nil): (start, end) = (at, at)
        case (nil, let first?, let last?) where first < last: (start, end) = (first, last - 1)
        case (nil, nil, nil): (start, end) = (scalars.count, scalars.count)
        default: throw ScenarioError("marks of \(marked)")
        }
    }

    /// The marked form of a text around a selection.
    static func marking(before: String, selected: String, after: String) -> String {
        selected.isEmpty ? "\(before)|\(after)" : "\(before)⟦\(selected)⟧\(after)"
    }
}

/// What a keyboard showed and said while a scenario is played.
struct ScenarioRecord {
    private var strips: [Strip?] = [nil]
    private var requests: [EngineRequest] = []
    private var ghost = ""
    private var shift = ShiftState.off
    private var layout = LayoutPage.letters
    /// What happened since the last expectation.
    private var since = Since()

    private struct Since {
        var edits: [JSONValue] = []
        var requests = 0
        var notices: [JSONValue] = []
        var performed: [JSONValue] = []
        var reads = 0
    }

    /// Keeps what the keyboard wants done.
    mutating func note(_ action: KeyboardAction) {
        switch action {
        case .edit(let edit): since.edits.append(edit.wireForm)
        case .performAction(let action): since.performed.append(.string(action.wireName))
        case .readText: since.reads += 1
        case .showStrip(let strip): strips.append(strip)
        case .showShift(let state): shift = state
        case .showLayout(let page): layout = page
        case .showGhost(let text): ghost = text
        case .request(let request):
            since.requests += 1
            requests.append(request)
        case .notify(let notice): since.notices.append(notice.wireForm)
        case .compose, .finishComposing: break
        }
    }

    /// Expectations are about what happens from now on.
    mutating func begin() {
        since = Since()
    }

    /// The events of a step that is pressed on the keyboard or comes from the engine; `nil` for other steps.
    func events(of name: String, _ value: JSONValue) throws -> [KeyboardEvent]? {
        switch (name, value) {
        case ("type", .string(let text)):
            text.unicodeScalars.map { key in
                switch key {
                case " ": .space
                case "\n": .enter
                default: .character(String(key))
                }
            }
        case ("key", .object): [try key(value)]
        case ("backspace", .number(let count)): Array(repeating: .backspace, count: Int(count))
        case ("shift", .number(let count)): Array(repeating: .shift, count: Int(count))
        case ("layout", .string(let page)): [.layout(try LayoutPage(wireName: page))]
        case ("move_cursor", .number(let by)): [.moveCursor(by: Int(by))]
        case ("tap", .string(let text)): [try tap(text, stripsAgo: 0)]
        case ("tap", .object): [try tap(value["text"]?.string ?? "", stripsAgo: value["strips_ago"]?.int ?? 0)]
        case ("swipe", .string("word")): [.acceptGhost(.word)]
        case ("swipe", .string("all")): [.acceptGhost(.all)]
        case ("answer", .object): [try answer(value)]
        case ("engine", .string("dead")): [.engine(isAlive: false)]
        case ("engine", .string("alive")): [.engine(isAlive: true)]
        default: nil
        }
    }

    private func key(_ spec: JSONValue) throws -> KeyboardEvent {
        try spec.allowOnly("text", "tap")
        return .character(spec["text"]?.string ?? "", tap: Tap(spec["tap"]))
    }

    private func tap(_ text: String, stripsAgo: Int) throws -> KeyboardEvent {
        guard strips.count > stripsAgo, let strip = strips[strips.count - 1 - stripsAgo],
            let slot = strip.slots.firstIndex(where: { JSONValue.string($0.text) == .string(text) })
        else { throw ScenarioError("\(text) is in no such strip") }
        return .tapSuggestion(strip: strip.serial, slot: slot)
    }

    private func answer(_ spec: JSONValue) throws -> KeyboardEvent {
        try spec.allowOnly("items", "fresh", "requests_ago")
        let ago = spec["requests_ago"]?.int ?? 0
        guard requests.count > ago else { throw ScenarioError("nothing was requested") }
        let items = try (spec["items"]?.array ?? []).map { item in
            try item.allowOnly("text", "kind", "replace", "automatic")
            return Suggestion(
                text: item["text"]?.string ?? "",
                kind: try Suggestion.Kind(wireName: item["kind"]?.string ?? ""),
                replace: item["replace"]?.int ?? 0,
                isAutomatic: item["automatic"]?.bool ?? false
            )
        }
        let epoch = requests[requests.count - 1 - ago].context.epoch
        return .answer(Suggestions(epoch: epoch, items: items, isFresh: spec["fresh"]?.bool ?? false))
    }

    /// Throws unless everything is as expected, in a field with this marked text and this word being composed.
    mutating func expect(_ expected: JSONValue, text: String, composing: String) throws {
        let since = since
        begin()
        let strip = strips.last ?? nil
        for (name, value) in expected.object ?? [:] {
            switch name {
            case "text": try Self.same(name, value, .string(text))
            case "edits": try Self.same(name, value.withoutEmptyTexts, .array(since.edits))
            case "strip":
                try Self.same(name, value, .array((strip?.slots ?? []).map { .string($0.text) }))
                try Self.same("highlighted", expected["highlighted"] ?? .null, .of(strip?.highlighted))
            case "highlighted":
                guard expected["strip"] != nil else { throw ScenarioError("highlighted without strip") }
            case "ghost": try Self.same(name, value, .string(ghost))
            case "shift": try Self.same(name, value, .string(shift.wireName))
            case "layout": try Self.same(name, value, .string(layout.wireName))
            case "composing": try Self.same(name, value, .string(composing))
            case "requests": try Self.same(name, value, .of(since.requests))
            case "request":
                try value.allowOnly("before", "after", "taps")
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

    /// Throws unless what was found is what was expected, if anything was.
    static func same(_ what: String, _ expected: JSONValue?, _ found: JSONValue) throws {
        guard let expected, expected != found else { return }
        throw ScenarioError("\(what): expected \(expected), found \(found)")
    }
}

extension JSONValue {
    /// Throws for members that nobody would look at.
    func allowOnly(_ names: String...) throws {
        for name in object?.keys.sorted() ?? [] where !names.contains(name) {
            throw ScenarioError("unknown: \(name)")
        }
    }

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
