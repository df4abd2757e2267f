import Nibble

// The JSON form of events and actions, which scenario files and `handle(json:)` use.

extension KeyboardEvent {
    func wireForm(at time: Int) -> JSONValue {
        let (name, value) = nameAndValue
        return .object(["time": .of(time), name: value])
    }

    private var nameAndValue: (String, JSONValue) {
        switch self {
        case .focus(let focus): ("focus", focus.wireForm)
        case .blur: ("blur", .null)
        case .editor(let update): ("editor", update.wireForm)
        case .character(let text, let tap):
            ("character", .object(["text": .string(text), "tap": tap?.wireForm ?? .null]))
        case .space: ("space", .null)
        case .enter: ("enter", .null)
        case .backspace: ("backspace", .null)
        case .shift: ("shift", .null)
        case .layout(let page): ("layout", .string(page.wireName))
        case .moveCursor(let by): ("move_cursor", .of(by))
        case .tapSuggestion(let strip, let slot):
            ("tap_suggestion", .object(["strip": .of(strip), "slot": .of(slot)]))
        case .acceptGhost(let part): ("accept_ghost", .string(part == .word ? "word" : "all"))
        case .answer(let suggestions): ("suggestions", suggestions.wireForm)
        case .engine(let isAlive): ("engine", .bool(isAlive))
        case .configure(let settings): ("configure", settings.wireForm)
        case .idle: ("idle", .null)
        }
    }
}

extension KeyboardAction {
    var wireForm: JSONValue {
        switch self {
        case .edit(let edit): .object(["edit": edit.wireForm])
        case .compose(let text): .object(["compose": .object(["text": .string(text)])])
        case .finishComposing: .string("finish_composing")
        case .performAction(let action): .object(["perform_action": .string(action.wireName)])
        case .readText(let serial): .object(["read_text": .object(["serial": .of(serial)])])
        case .showStrip(let strip): .object(["strip": strip.wireForm])
        case .showShift(let state): .object(["shift": .string(state.wireName)])
        case .showLayout(let page): .object(["layout": .string(page.wireName)])
        case .showGhost(let text): .object(["ghost": .object(["text": .string(text)])])
        case .request(let request): .object(["request": request.wireForm])
        case .notify(let notice): .object(["engine": notice.wireForm])
        }
    }
}

extension TextEdit {
    var wireForm: JSONValue {
        switch self {
        case .insert(let text): return .object(["insert": .object(["text": .string(text)])])
        case .delete(let before, let after):
            var members = ["before": JSONValue.string(before)]
            if !after.isEmpty { members["after"] = .string(after) }
            return .object(["delete": .object(members)])
        case .deleteSelection: return .string("delete_selection")
        case .pressBackspace: return .string("press_backspace")
        case .moveCursor(let by, let over):
            return .object(["move_cursor": .object(["by": .of(by), "over": .string(over)])])
        }
    }
}

extension EngineNotice {
    var wireForm: JSONValue {
        switch self {
        case .focus(let field): .object(["focus": .object(["field": .string(field.wireName)])])
        case .blur: .string("blur")
        case .accept(let suggestion): .object(["accept": .object(["suggestion": suggestion.wireForm])])
        case .revert(let typed, let correction):
            .object(["revert": .object(["typed": .string(typed), "correction": .string(correction)])])
        case .commit(let text, let before):
            .object(["commit": .object(["before": .string(before), "text": .string(text)])])
        }
    }
}

extension EngineRequest {
    var wireForm: JSONValue {
        var members = [
            "context": JSONValue.object([
                "before": .string(context.before), "after": .string(context.after),
                "field": .string(context.field.wireName), "epoch": .of(context.epoch),
            ])
        ]
        if !taps.isEmpty { members["taps"] = tapsWireForm }
        return .object(members)
    }

    var tapsWireForm: JSONValue { .array(taps.map { $0?.wireForm ?? .null }) }
}

extension Strip {
    var wireForm: JSONValue {
        .object([
            "serial": .of(serial),
            "slots": .array(
                slots.map { .object(["text": .string($0.text), "kind": .string($0.kind.wireName)]) }),
            "highlighted": .of(highlighted),
        ])
    }
}

extension Suggestion {
    var wireForm: JSONValue {
        .object([
            "text": .string(text), "kind": .string(kind.wireName), "score": .of(score),
            "replace": .of(replace), "automatic": .bool(isAutomatic),
        ])
    }
}

extension Suggestions {
    var wireForm: JSONValue {
        .object([
            "epoch": .of(epoch), "items": .array(items.map(\.wireForm)), "fresh": .bool(isFresh),
        ])
    }
}

extension FieldFocus {
    var wireForm: JSONValue {
        .object([
            "kind": .string(kind.wireName), "capitals": .string(capitals.wireName),
            "multi_line": .bool(isMultiLine), "action": .string(action.wireName), "text": text.wireForm,
            "selection": selection?.wireForm ?? .null, "unit": .string(unit == .scalar ? "scalar" : "utf16"),
        ])
    }
}

extension EditorUpdate {
    var wireForm: JSONValue {
        .object([
            "text": text?.wireForm ?? .null, "selection": selection?.wireForm ?? .null,
            "answers": answers.map { .of($0) } ?? .null,
        ])
    }
}

extension EditorText {
    var wireForm: JSONValue {
        .object([
            "before": .string(before), "selected": .string(selected), "after": .string(after),
            "before_cut": .bool(isBeforeCut), "after_cut": .bool(isAfterCut),
        ])
    }
}

extension EditorSelection {
    var wireForm: JSONValue { .object(["start": .of(start), "end": .of(end)]) }
}

extension KeyboardSettings {
    var wireForm: JSONValue {
        .object([
            "language": .string(language), "slots": .of(slots), "autocorrect": .bool(autocorrects),
            "auto_capitals": .bool(capitalizes), "double_space": .bool(doubleSpaceEndsSentence),
        ])
    }
}

extension Tap {
    var wireForm: JSONValue { .object(["x": .of(x), "y": .of(y)]) }

    init?(_ json: JSONValue?) {
        guard let x = json?["x"]?.double, let y = json?["y"]?.double else { return nil }
        self.init(x: Float(x), y: Float(y))
    }
}

/// An enum whose cases have names on the wire.
protocol WireNamed: Hashable {
    static var wireNames: [String: Self] { get }
}

extension WireNamed {
    /// The name of this case.
    var wireName: String {
        Self.wireNames.first { $0.value == self }?.key ?? "?"
    }

    /// The case of a name.
    init(wireName: String) throws {
        guard let value = Self.wireNames[wireName] else { throw ScenarioError("no \(Self.self) is called \(wireName)") }
        self = value
    }
}

extension FieldKind: WireNamed {
    static let wireNames: [String: FieldKind] = [
        "message": .message, "email": .email, "note": .note, "search": .search, "url": .url,
        "number": .number, "password": .password, "no_learning": .noLearning,
    ]
}

extension CapitalsMode: WireNamed {
    static let wireNames: [String: CapitalsMode] = [
        "none": .never, "sentences": .sentences, "words": .words, "characters": .characters,
    ]
}

extension EditorAction: WireNamed {
    static let wireNames: [String: EditorAction] = [
        "default": .default, "go": .go, "search": .search, "send": .send, "next": .next,
        "previous": .previous, "done": .done,
    ]
}

extension LayoutPage: WireNamed {
    static let wireNames: [String: LayoutPage] = [
        "letters": .letters, "symbols": .symbols, "more_symbols": .moreSymbols, "numbers": .numbers,
        "emoji": .emoji,
    ]
}

extension ShiftState: WireNamed {
    static let wireNames: [String: ShiftState] = [
        "off": .off, "automatic": .automatic, "manual": .manual, "locked": .locked,
    ]
}

extension Suggestion.Kind: WireNamed {
    static let wireNames: [String: Suggestion.Kind] = [
        "completion": .completion, "next": .next, "correction": .correction, "typed": .typed,
        "phrase": .phrase, "emoji": .emoji,
    ]
}
