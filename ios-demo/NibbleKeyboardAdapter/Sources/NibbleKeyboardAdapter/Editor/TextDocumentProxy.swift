import Foundation

/// The text field as the system shows it to a keyboard: the part of `UITextDocumentProxy` that Nibble uses, under
/// UIKit's names. It is another process's field, so what is read here can be older than the last edit.
@MainActor
public protocol TextDocumentProxy: AnyObject {
    /// Text before the selection: the end of it, as much as the system gives.
    var documentContextBeforeInput: String? { get }
    /// Text after the selection: the beginning of it.
    var documentContextAfterInput: String? { get }
    /// The selected text; `nil` where there is only a cursor.
    var selectedText: String? { get }
    /// Whether the field has any text.
    var hasText: Bool { get }
    /// Names the field.
    var documentIdentifier: UUID { get }
    /// What the field asks of a keyboard.
    var traits: TextInputTraits { get }

    /// Replaces the selection by `text`. A line feed is the return key, whatever that does in the field.
    func insertText(_ text: String)
    /// Deletes the selection, or one grapheme cluster before the cursor.
    func deleteBackward()
    /// Moves the cursor; a selection collapses to its end first. `offset` counts UTF-16 code units, whatever UIKit's
    /// name says. It takes effect between the edits before and after it, and shows as late as they do.
    func adjustTextPosition(byCharacterOffset offset: Int)
}

/// What a field asks of a keyboard: `UITextInputTraits`, as far as typing differs. Without UIKit a field that says
/// nothing is as UIKit's is.
public struct TextInputTraits: Hashable, Sendable {
    /// `UIKeyboardType`, as far as typing differs.
    public enum KeyboardType: Hashable, Sendable {
        /// Text of any kind.
        case `default`
        /// A web address.
        case url
        /// An e-mail address.
        case emailAddress
        /// A web address or words to search for.
        case webSearch
        /// Digits of any kind, telephone numbers included.
        case number
    }

    /// `UIReturnKeyType`, as far as the key's face differs.
    public enum ReturnKey: Hashable, Sendable {
        case `default`, go, search, send, next, done
    }

    /// `UITextAutocapitalizationType`.
    public enum Autocapitalization: Hashable, Sendable {
        case none, words, sentences, allCharacters
    }

    /// `UITextContentType`, as far as typing differs.
    public enum Content: Hashable, Sendable {
        /// Anything, or nothing that matters.
        case other
        /// A password, old or new, a code that is used once, or the number of a card.
        case secret
        /// A web or e-mail address, or a user's name.
        case address
    }

    /// Which keys.
    public var keyboardType: KeyboardType
    /// What the return key does.
    public var returnKey: ReturnKey
    /// Capitals by themselves.
    public var autocapitalization: Autocapitalization
    /// Whether mistyped words may be replaced.
    public var allowsAutocorrection: Bool
    /// Whether the text is hidden.
    public var isSecureTextEntry: Bool
    /// What the text is.
    public var content: Content

    /// Traits; what is not named is as in a field that says nothing.
    public init(
        keyboardType: KeyboardType = .default, returnKey: ReturnKey = .default,
        autocapitalization: Autocapitalization = .sentences, allowsAutocorrection: Bool = true,
        isSecureTextEntry: Bool = false, content: Content = .other
    ) {
        self.keyboardType = keyboardType
        self.returnKey = returnKey
        self.autocapitalization = autocapitalization
        self.allowsAutocorrection = allowsAutocorrection
        self.isSecureTextEntry = isSecureTextEntry
        self.content = content
    }
}
