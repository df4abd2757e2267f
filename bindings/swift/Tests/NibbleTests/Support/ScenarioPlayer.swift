import Nibble

/// Plays a scenario of `rust/nibble-keyboard/scenarios` against a text field in memory. The format is described in the
/// README there.
///
/// Two controllers hear of every event: one as a value, one as JSON. They must say the same.
struct ScenarioPlayer {
    private let controller: KeyboardController
    private let jsonController: KeyboardController
    private let reporting: InMemoryTextField.Reporting
    private let reports: ScenarioTiming
    private let answers: ScenarioTiming
    private var field: InMemoryTextField
    /// Answers of fields that have lost the focus.
    private var staleAnswers: [EditorUpdate] = []
    /// Whether the controller is to know the field's text.
    private var isMirrored = false
    private var time = 0
    private var record = ScenarioRecord()

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
        reports = try ScenarioTiming(spec["when"])
        answers = try ScenarioTiming(spec["answers"])
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
        record.begin()
    }

    // MARK: Events

    private mutating func focus(_ spec: JSONValue, text marked: String) throws {
        try spec.allowOnly("kind", "capitals", "multi_line", "action", "limit")
        let marked = try MarkedText(marked)
        var field = InMemoryTextField(marked.text, reporting: reporting)
        field.select(marked.start, marked.end)
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
        try ScenarioRecord.same("actions as JSON", .array(actions.map(\.wireForm)), json)
        field.apply(actions)
        for action in actions {
            if case .request(let request) = action {
                try ScenarioRecord.same("epoch of a request", .of(request.context.epoch), .of(try controller.epoch))
            }
            record.note(action)
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
        if let events = try record.events(of: name, value) {
            for event in events { try self.event(event) }
            return
        }
        switch (name, value) {
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
            let marked = try MarkedText(marked)
            try foreign { $0.setText(marked.text, marked.start, marked.end) }
        case ("deliver", .number(let count)):
            try answerReads()
            try deliver(Int(count))
        case ("wait", .number(let milliseconds)): time += Int(milliseconds)
        case ("expect", .object): try record.expect(value, text: marked, composing: field.composing)
        default: throw ScenarioError("no step: \(step)")
        }
    }

    private mutating func foreign(_ change: (inout InMemoryTextField) -> Void) throws {
        time += 100
        change(&field)
        if reports == .atOnce { try deliver(Int.max) }
    }

    // MARK: The end

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
        MarkedText.marking(before: field.before, selected: field.selected, after: field.after)
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
