import Nibble

extension TextInputTraits {
    /// The kind of the field. Whatever may be secret is a password: then nothing of it reaches the engine.
    public var fieldKind: FieldKind {
        if isSecureTextEntry || content == .secret { return .password }
        if content == .address { return .url }
        switch keyboardType {
        case .url, .emailAddress: return .url
        case .number: return .number
        case .webSearch, .default:
            // Codes and names, which are no words.
            if !allowsAutocorrection { return .noLearning }
            return keyboardType == .webSearch || returnKey == .search ? .search : .message
        }
    }

    /// Capitals by themselves.
    public var capitals: CapitalsMode {
        switch autocapitalization {
        case .none: .never
        case .words: .words
        case .sentences: .sentences
        case .allCharacters: .characters
        }
    }

    /// What the return key does.
    public var action: EditorAction {
        switch returnKey {
        case .default: .default
        case .go: .go
        case .search: .search
        case .send: .send
        case .next: .next
        case .done: .done
        }
    }

    /// Whether the return key may begin a line. UIKit does not say; a key with a name of its own does something else.
    public var isMultiLine: Bool { returnKey == .default }

    /// The user's settings as this field allows them.
    func allowed(_ settings: KeyboardSettings) -> KeyboardSettings {
        var allowed = settings
        allowed.autocorrects = settings.autocorrects && allowsAutocorrection
        return allowed
    }
}
