internal import NibbleBindings

/// The kind of a text field, as far as typing differs.
public enum FieldKind: Hashable, Sendable {
    /// A chat or text message; also where nothing is known.
    case message
    /// The body or subject of an e-mail.
    case email
    /// Notes and documents.
    case note
    /// A search box.
    case search
    /// A web or e-mail address: its parts are no words.
    case url
    /// Digits.
    case number
    /// Secret: the engine is off, no context is kept and nothing is stored.
    case password
    /// Incognito: predictions as in a message, but nothing is stored.
    case noLearning

    init(_ kind: NibbleBindings.FieldKind) {
        switch kind {
        case .message: self = .message
        case .email: self = .email
        case .note: self = .note
        case .search: self = .search
        case .url: self = .url
        case .number: self = .number
        case .password: self = .password
        case .noLearning: self = .noLearning
        }
    }

    var generated: NibbleBindings.FieldKind {
        switch self {
        case .message: .message
        case .email: .email
        case .note: .note
        case .search: .search
        case .url: .url
        case .number: .number
        case .password: .password
        case .noLearning: .noLearning
        }
    }
}

/// A snapshot of the text field.
public struct EditorContext: Hashable, Sendable {
    /// Text before the cursor (or before the selection), as much as is known.
    public var before: String
    /// Text after the cursor, as much as is known.
    public var after: String
    /// Kind of the field.
    public var field: FieldKind
    /// Counts the changes of the field: an answer to an older epoch is stale and never applied.
    public var epoch: UInt64

    /// A snapshot.
    public init(before: String, after: String = "", field: FieldKind = .message, epoch: UInt64 = 0) {
        self.before = before
        self.after = after
        self.field = field
        self.epoch = epoch
    }

    init(_ context: NibbleBindings.EditorContext) {
        before = context.before
        after = context.after
        field = FieldKind(context.field)
        epoch = context.epoch
    }

    var generated: NibbleBindings.EditorContext {
        NibbleBindings.EditorContext(before: before, after: after, field: field.generated, epoch: epoch)
    }
}

/// One suggestion and the exact edit that accepting it makes.
public struct Suggestion: Hashable, Sendable {
    /// What a suggestion is.
    public enum Kind: Hashable, Sendable {
        /// Completes the word that is being typed.
        case completion
        /// A next word, before its first letter.
        case next
        /// Replaces a word that looks mistyped.
        case correction
        /// The word exactly as typed, offered where a correction is pending.
        case typed
        /// Several words: ghost text.
        case phrase
        /// An emoji.
        case emoji

        init(_ kind: NibbleBindings.SuggestionKind) {
            switch kind {
            case .completion: self = .completion
            case .next: self = .next
            case .correction: self = .correction
            case .typed: self = .typed
            case .phrase: self = .phrase
            case .emoji: self = .emoji
            }
        }

        var generated: NibbleBindings.SuggestionKind {
            switch self {
            case .completion: .completion
            case .next: .next
            case .correction: .correction
            case .typed: .typed
            case .phrase: .phrase
            case .emoji: .emoji
            }
        }
    }

    /// The text that appears, without the space that follows a word.
    public var text: String
    /// What it is.
    public var kind: Kind
    /// Natural logarithm of its probability; comparable within one answer.
    public var score: Float
    /// Unicode scalar values before the cursor that make way for ``text``.
    public var replace: Int
    /// Only for corrections: whether it is sure enough to be applied when the word ends.
    public var isAutomatic: Bool

    /// A suggestion.
    public init(text: String, kind: Kind, score: Float = 0, replace: Int = 0, isAutomatic: Bool = false) {
        self.text = text
        self.kind = kind
        self.score = score
        self.replace = replace
        self.isAutomatic = isAutomatic
    }

    init(_ suggestion: NibbleBindings.Suggestion) {
        text = suggestion.text
        kind = Kind(suggestion.kind)
        score = suggestion.score
        replace = Int(suggestion.replace)
        isAutomatic = suggestion.automatic
    }

    func generated() throws -> NibbleBindings.Suggestion {
        NibbleBindings.Suggestion(
            text: text, kind: kind.generated, score: score, replace: try unsigned(replace, "replace"),
            automatic: isAutomatic)
    }
}

/// The engine's answer for one context.
public struct Suggestions: Hashable, Sendable {
    /// Epoch of the context that was asked about.
    public var epoch: UInt64
    /// Best first.
    public var items: [Suggestion]
    /// Whether the model's distribution for this context was used; otherwise it may still come.
    public var isFresh: Bool

    /// An answer.
    public init(epoch: UInt64, items: [Suggestion], isFresh: Bool) {
        self.epoch = epoch
        self.items = items
        self.isFresh = isFresh
    }

    /// The answer that ``json()`` wrote.
    public init(json: String) throws {
        self.init(try translatingErrors { try suggestionsFromJson(json: json) })
    }

    /// As JSON, to be sent from the process that has the engine to the one that has the keyboard.
    public func json() throws -> String {
        try translatingErrors { try suggestionsToJson(suggestions: try generated()) }
    }

    init(_ suggestions: NibbleBindings.Suggestions) {
        epoch = suggestions.epoch
        items = suggestions.items.map(Suggestion.init)
        isFresh = suggestions.fresh
    }

    func generated() throws -> NibbleBindings.Suggestions {
        NibbleBindings.Suggestions(
            epoch: epoch, items: try items.map { try $0.generated() }, fresh: isFresh)
    }
}
