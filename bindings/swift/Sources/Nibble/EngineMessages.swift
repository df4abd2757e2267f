internal import NibbleBindings

/// A question of a keyboard to its engine.
public struct EngineRequest: Hashable, Sendable {
    /// The text field. The answer must carry its epoch.
    public let context: EditorContext
    /// Where the letters of the word before the cursor were touched: one entry for each of its Unicode scalar
    /// values, or none at all.
    public let taps: [Tap?]

    /// The request that ``json()`` wrote.
    public init(json: String) throws {
        self.init(try translatingErrors { try engineRequestFromJson(json: json) })
    }

    /// As JSON, to be sent from the process that has the keyboard to the one that has the engine.
    public func json() throws -> String {
        try translatingErrors { try engineRequestToJson(request: generated) }
    }

    init(_ request: NibbleBindings.EngineRequest) {
        context = EditorContext(request.context)
        taps = request.taps.map { tap in tap.map { Tap(x: $0.x, y: $0.y) } }
    }

    var generated: NibbleBindings.EngineRequest {
        NibbleBindings.EngineRequest(context: context.generated, taps: taps.map { $0?.generated })
    }
}

/// What an engine is told. In fields that do not learn, only ``focus(_:)`` and ``blur`` occur.
public enum EngineNotice: Hashable, Sendable {
    /// Typing begins in a field. A secure one switches the engine off.
    case focus(FieldKind)
    /// Typing ended.
    case blur
    /// The user chose a suggestion, as it was shown. Its words are learned from the ``commit(_:after:)`` that follows
    /// when they stand.
    case accept(Suggestion)
    /// The user took an automatic correction back: what was typed stands again.
    case revert(typed: String, correction: String)
    /// Words, usually one, that the user typed or accepted and went on from, and the text before them.
    case commit(String, after: String)

    /// The notice that ``json()`` wrote.
    public init(json: String) throws {
        self.init(try translatingErrors { try engineNoticeFromJson(json: json) })
    }

    /// As JSON, to be sent from the process that has the keyboard to the one that has the engine.
    public func json() throws -> String {
        try translatingErrors { try engineNoticeToJson(notice: try generated()) }
    }

    init(_ notice: NibbleBindings.EngineNotice) {
        switch notice {
        case .focus(let field): self = .focus(FieldKind(field))
        case .blur: self = .blur
        case .accept(let suggestion): self = .accept(Suggestion(suggestion))
        case .revert(let typed, let correction): self = .revert(typed: typed, correction: correction)
        case .commit(let before, let text): self = .commit(text, after: before)
        }
    }

    func generated() throws -> NibbleBindings.EngineNotice {
        switch self {
        case .focus(let field): .focus(field: field.generated)
        case .blur: .blur
        case .accept(let suggestion): .accept(suggestion: try suggestion.generated())
        case .revert(let typed, let correction): .revert(typed: typed, correction: correction)
        case .commit(let text, let before): .commit(before: before, text: text)
        }
    }
}
