import Nibble

/// The panel of learned words. It is in the keyboard, because the words are in the keyboard's own container, which the
/// app cannot see.
@MainActor
public final class LearnedWords {
    /// What is searched for.
    public private(set) var query = ""
    /// The words that contain it, in alphabetical order.
    public private(set) var words: [UserModel.Word] = []
    /// Whether the next ``erase()`` erases; the first only asks.
    public private(set) var asksToErase = false
    /// Called when something of it changed.
    public var onChange: () -> Void = {}

    private let user: UserModel

    /// The words of a user model.
    public init(_ user: UserModel) throws {
        self.user = user
        words = try user.words()
    }

    /// A key was pressed while the panel is open: letters go into the search and not into the field.
    ///
    /// - Returns: Whether it was the panel's; the others, such as those that show another page, are the keyboard's.
    public func take(_ key: KeyboardKey) throws -> Bool {
        switch key.action {
        case .character(let text): query += text
        case .space: query += " "
        case .backspace: query = String(query.dropLast())
        case .enter: query = ""
        case .shift, .showPage, .nextKeyboard: return false
        }
        try show()
        return true
    }

    /// Something was chosen that a held key offers, or on the page of emoji.
    public func type(_ text: String) throws {
        query += text
        try show()
    }

    /// Forgets a word, and does not suggest it any more.
    public func remove(_ word: UserModel.Word) throws {
        try user.remove(word.text)
        try show()
    }

    /// Asks first, and at the second call forgets all words.
    public func erase() throws {
        if asksToErase {
            try user.erase()
            query = ""
            try show()
        } else {
            asksToErase = true
            onChange()
        }
    }

    /// All words as text, for people and for import elsewhere.
    public func exportText() throws -> String {
        try user.exportText()
    }

    private func show() throws {
        asksToErase = false
        words = try user.words(containing: query)
        onChange()
    }
}
