import NibbleKeyboardAdapter
import UIKit

/// The field that the system gives to a keyboard.
@MainActor
final class UIKitTextDocument: TextDocumentProxy {
    private unowned let controller: UIInputViewController
    private var proxy: any UITextDocumentProxy { controller.textDocumentProxy }

    init(_ controller: UIInputViewController) {
        self.controller = controller
    }

    var documentContextBeforeInput: String? { proxy.documentContextBeforeInput }
    var documentContextAfterInput: String? { proxy.documentContextAfterInput }
    var selectedText: String? { proxy.selectedText }
    var hasText: Bool { proxy.hasText }
    var documentIdentifier: UUID { proxy.documentIdentifier }

    func insertText(_ text: String) { proxy.insertText(text) }
    func deleteBackward() { proxy.deleteBackward() }
    func adjustTextPosition(byCharacterOffset offset: Int) { proxy.adjustTextPosition(byCharacterOffset: offset) }

    var traits: TextInputTraits {
        TextInputTraits(
            keyboardType: keyboardType, returnKey: returnKey, autocapitalization: autocapitalization,
            allowsAutocorrection: proxy.autocorrectionType != .no,
            isSecureTextEntry: proxy.isSecureTextEntry ?? false, content: content)
    }

    private var keyboardType: TextInputTraits.KeyboardType {
        switch proxy.keyboardType ?? .default {
        case .URL: .url
        case .emailAddress: .emailAddress
        case .webSearch: .webSearch
        case .numberPad, .phonePad, .decimalPad, .asciiCapableNumberPad: .number
        default: .default
        }
    }

    private var returnKey: TextInputTraits.ReturnKey {
        switch proxy.returnKeyType ?? .default {
        case .go, .join, .route: .go
        case .search, .google, .yahoo: .search
        case .send: .send
        case .next, .continue: .next
        case .done: .done
        default: .default
        }
    }

    private var autocapitalization: TextInputTraits.Autocapitalization {
        switch proxy.autocapitalizationType ?? .sentences {
        case .none: .none
        case .words: .words
        case .allCharacters: .allCharacters
        default: .sentences
        }
    }

    private var content: TextInputTraits.Content {
        guard let type = proxy.textContentType ?? nil else { return .other }
        let secret: Set<UITextContentType> = [.password, .newPassword, .oneTimeCode, .creditCardNumber]
        let address: Set<UITextContentType> = [.username, .emailAddress, .URL]
        return secret.contains(type) ? .secret : address.contains(type) ? .address : .other
    }
}
