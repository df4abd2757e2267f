import Nibble

/// What was otherwise than a scenario says, or what in the scenario cannot be read.
struct ScenarioError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Plays a scenario of `rust/nibble-keyboard/scenarios` against a text field in memory. The format is described in the
/// README there.
///
/// Two controllers hear of every event: one as a value, one as JSON. They must say the same.
struct ScenarioPlayer {
    private enum When: String {
        case atOnce = "at_once"
        case onDemand = "on_demand"
        case coalesced
    }

    private let controller: KeyboardController
    private let jsonController: KeyboardController
    private let reporting: InMemoryTextField.Reporting
    private let reports: When
    private let answers: When
    private var field: InMemoryTextField
    /// Answers of fields that have lost the focus.
    private var staleAnswers: [EditorUpdate] = []
    /// Whether the controller is to know the field's text.
    private var isMirrored = false
    private var time = 0
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

    /// Plays the scenario; throws where something is otherwise.
    static func play(_ scenario: JSONValue) throws {
        var player = try ScenarioPlayer(scenario)
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
        try scenario.allowOnly("name", "settings", "field", "text", "reports", "steps")
        let settings = try KeyboardSettings(json: (scenario["settings"] ?? .object([:])).text)
        controller = try KeyboardController(settings: settings)
        jsonController = try KeyboardController(settings: settings)

        let spec = scenario["reports"] ?? .object([:])
        try spec.allowOnly("when", "carry", "batched", "window", "unit", "answers")
        reports = try Self.when(spec["when"])
        answers = try Self.when(spec["answers"])
        var reporting = InMemoryTextField.Reporting()
        reporting.text = spec["carry"]?.string != "positions"
        reporting.coalesced = reports == .coalesced
        reporting.batched = spec["batched"]?.bool ?? true
        reporting.window = spec["window"]?.int ?? Int.max
        switch spec["unit"] {
        case .null: reporting.unit = nil
        case .string("utf16"): reporting.unit = .utf16
        default: reporting.unit = .scalar
        }
        self.reporting = reporting
        field = InMemoryTextField("", reporting: reporting)
        try focus(scenario["field"] ?? .object([:]), text: scenario["text"]?.string ?? "")
        since = Since()
    }

    private static func when(_ json: JSONValue?) throws -> When {
        guard let json else { return .atOnce }
        guard let when = json.string.flatMap(When.init) else { throw ScenarioError("no time is called \(json)") }
        return when
    }

    // MARK: Events

    private mutating func focus(_ spec: JSONValue, text marked: String) throws {
        try spec.allowOnly("kind", "capitals", "multi_line", "action", "limit")
        let (text, start, end) = try Self.unmark(marked)
        var field = InMemoryTextField(text, reporting: reporting)
        field.select(start, end)
        while field.nextReport() != nil {}
        field.limit = spec["limit"]?.int
        while let answer = self.field.nextAnswer() { staleAnswers.append(answer) }
        self.field = field
        let kind = try spec["kind"]?.string.map(FieldKind.init(wireName:)) ?? .message
        isMirrored = kind != .password
        let (window, selection) = field.read()
        try event(
            .focus(
                FieldFocus(
                    kind: kind,
                    capitals: try spec["capitals"]?.string.map(CapitalsMode.init(wireName:)) ?? .sentences,
                    isMultiLine: spec["multi_line"]?.bool ?? false,
                    action: try spec["action"]?.string.map(EditorAction.init(wireName:)) ?? .default,
                    text: window,
                    selection: selection,
                    unit: reporting.unit ?? .scalar
                )))
    }

    private mutating func event(_ event: KeyboardEvent) throws {
        time += 100
        try handle(event)
        if reports == .atOnce { try deliver(Int.max) }
    }

    /// Hands an event over and carries out what follows. The field's answers come back at once.
    private mutating func handle(_ event: KeyboardEvent) throws {
        let actions = try controller.handle(event, at: .milliseconds(time))
        let json = try JSONValue(parsing: try jsonController.handle(json: event.wireForm(at: time).text))
        try Self.same("actions as JSON", .array(actions.map(\.wireForm)), json)
        field.apply(actions)
        for action in actions {
            switch action {
            case .edit(let edit): since.edits.append(edit.wireForm)
            case .performAction(let action): since.performed.append(.string(action.wireName))
            case .readText: since.reads += 1
            case .showStrip(let strip): strips.append(strip)
            case .showShift(let state): shift = state
            case .showLayout(let page): layout = page
            case .showGhost(let text): ghost = text
            case .request(let request):
                try Self.same("epoch of a request", .of(request.context.epoch), .of(try controller.epoch))
                since.requests += 1
                requests.append(request)
            case .notify(let notice): since.notices.append(notice.wireForm)
            case .compose, .finishComposing: break
            }
        }
        if answers == .atOnce { try answerReads() }
    }

    private mutating func answerReads() throws {
        while let answer = staleAnswers.isEmpty ? field.nextAnswer() : staleAnswers.removeFirst() {
            try handle(.editor(answer))
        }
    }

    private mutating func deliver(_ count: Int) throws {
        var left = count
        while left > 0, let report = field.nextReport() {
            try handle(.editor(report))
            left -= 1
        }
    }

    // MARK: Steps

    private mutating func step(_ step: JSONValue) throws {
        if let word = step.string {
            switch word {
            case "blur":
                isMirrored = false
                try event(.blur)
            case "idle": try event(.idle)
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
                case " ": try event(.space)
                case "\n": try event(.enter)
                default: try event(.character(String(key)))
                }
            }
        case ("key", .object): try event(.character(value["text"]?.string ?? "", tap: Tap(value["tap"])))
        case ("backspace", .number(let count)): for _ in 0..<Int(count) { try event(.backspace) }
        case ("shift", .number(let count)): for _ in 0..<Int(count) { try event(.shift) }
        case ("layout", .string(let page)): try event(.layout(try LayoutPage(wireName: page)))
        case ("move_cursor", .number(let by)): try event(.moveCursor(by: Int(by)))
        case ("tap", .string(let text)): try tap(text, stripsAgo: 0)
        case ("tap", .object): try tap(value["text"]?.string ?? "", stripsAgo: value["strips_ago"]?.int ?? 0)
        case ("swipe", .string("word")): try event(.acceptGhost(.word))
        case ("swipe", .string("all")): try event(.acceptGhost(.all))
        case ("answer", .object): try answer(value)
        case ("engine", .string("dead")): try event(.engine(isAlive: false))
        case ("engine", .string("alive")): try event(.engine(isAlive: true))
        case ("configure", .object): try event(.configure(try KeyboardSettings(json: value.text)))
        case ("focus", .object):
            try value.allowOnly("field", "text")
            try focus(value["field"] ?? .object([:]), text: value["text"]?.string ?? "")
        case ("cursor", .number(let at)): try foreign { $0.select(Int(at), Int(at)) }
        case ("select", .array(let range)):
            guard let start = range.first?.int, let end = range.last?.int, range.count == 2 else {
                throw ScenarioError("no selection: \(value)")
            }
            try foreign { $0.select(start, end) }
        case ("paste", .string(let text)): try foreign { $0.paste(text) }
        case ("set_text", .string(let marked)):
            let (text, start, end) = try Self.unmark(marked)
            try foreign { $0.setText(text, start, end) }
        case ("deliver", .number(let count)):
            try answerReads()
            try deliver(Int(count))
        case ("wait", .number(let milliseconds)): time += Int(milliseconds)
        case ("expect", .object): try expect(value)
        default: throw ScenarioError("no step: \(step)")
        }
    }

    private mutating func foreign(_ change: (inout InMemoryTextField) -> Void) throws {
        time += 100
        change(&field)
        if reports == .atOnce { try deliver(Int.max) }
    }

    private mutating func tap(_ text: String, stripsAgo: Int) throws {
        guard strips.count > stripsAgo, let strip = strips[strips.count - 1 - stripsAgo],
            let slot = strip.slots.firstIndex(where: { JSONValue.string($0.text) == .string(text) })
        else { throw ScenarioError("\(text) is in no such strip") }
        try event(.tapSuggestion(strip: strip.serial, slot: slot))
    }

    private mutating func answer(_ spec: JSONValue) throws {
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
        try event(.answer(Suggestions(epoch: epoch, items: items, isFresh: spec["fresh"]?.bool ?? false)))
    }

    // MARK: Expectations

    private mutating func expect(_ expected: JSONValue) throws {
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
            case "highlighted":
                guard expected["strip"] != nil else { throw ScenarioError("highlighted without strip") }
            case "ghost": try Self.same(name, value, .string(ghost))
            case "shift": try Self.same(name, value, .string(shift.wireName))
            case "layout": try Self.same(name, value, .string(layout.wireName))
            case "composing": try Self.same(name, value, .string(field.composing))
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

    /// Everything arrives; then the controller must know the field.
    private mutating func settle() throws {
        try answerReads()
        try deliver(Int.max)
        try answerReads()
        time += 10_000
        try handle(.idle)
        try answerReads()
        let mirror = try controller.mirror
        let text = isMirrored ? field.read().0 : EditorText()
        let agrees =
            mirror.selected.hasSameScalars(as: text.selected)
            && (mirror.before.hasScalarSuffix(text.before)
                || mirror.isBeforeCut && text.before.hasScalarSuffix(mirror.before))
            && (mirror.after.hasScalarPrefix(text.after)
                || mirror.isAfterCut && text.after.hasScalarPrefix(mirror.after))
            && (isMirrored || mirror == EditorText())
        guard agrees, try !controller.isUnsure || !isMirrored else {
            throw ScenarioError("mirror \(mirror), field \(text)")
        }
    }

    /// The field's text with its marks.
    private var marked: String {
        let selected = field.selected
        return selected.isEmpty
            ? "\(field.before)|\(field.after)" : "\(field.before)⟦\(selected)⟧\(field.after)"
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
    /// Throws for members that nobody would look at.
    fileprivate func allowOnly(_ names: String...) throws {
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

extension String {
    fileprivate func hasSameScalars(as other: String) -> Bool {
        unicodeScalars.elementsEqual(other.unicodeScalars)
    }

    fileprivate func hasScalarPrefix(_ prefix: String) -> Bool {
        unicodeScalars.starts(with: prefix.unicodeScalars)
    }

    fileprivate func hasScalarSuffix(_ suffix: String) -> Bool {
        unicodeScalars.reversed().starts(with: suffix.unicodeScalars.reversed())
    }
}
