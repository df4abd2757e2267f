import Foundation
import Nibble

extension KeyboardKey {
    /// What is drawn on a key.
    public enum Face: Hashable, Sendable {
        /// Text.
        case text(String)
        /// A symbol of the system, by its name.
        case symbol(String)
    }

    /// What is drawn on it.
    public func face(_ shift: ShiftState, returnKey: TextInputTraits.ReturnKey = .default) -> Face {
        switch action {
        case .character(let text): .text(shift == .off ? text : text.capitalLetter)
        case .space: .text("space")
        case .shift:
            switch shift {
            case .off: .symbol("shift")
            case .automatic, .manual: .symbol("shift.fill")
            case .locked: .symbol("capslock.fill")
            }
        case .backspace: .symbol("delete.left")
        case .enter: .text(returnKey.name)
        case .showPage(let page): page == .emoji ? .symbol("face.smiling") : .text(page.caption)
        case .nextKeyboard: .symbol("globe")
        }
    }

    /// What VoiceOver says of it.
    public func accessibilityLabel(
        _ shift: ShiftState, returnKey: TextInputTraits.ReturnKey = .default
    ) -> String {
        switch action {
        case .character(let text):
            let spoken = text.spokenName
            return shift != .off && text.capitalLetter != text ? "capital \(spoken)" : spoken
        case .space: return "space"
        case .shift: return shift == .locked ? "caps lock" : "shift"
        case .backspace: return "delete"
        case .enter: return returnKey.name
        case .showPage(let page): return page.spokenName
        case .nextKeyboard: return "next keyboard"
        }
    }

    /// What it offers when it is held, as it would be typed.
    public func longPressFaces(_ shift: ShiftState) -> [String] {
        shift == .off ? longPress : longPress.map(\.capitalLetter)
    }
}

extension TextInputTraits.ReturnKey {
    /// The word on the key.
    var name: String {
        switch self {
        case .default: "return"
        case .go: "go"
        case .search: "search"
        case .send: "send"
        case .next: "next"
        case .done: "done"
        }
    }
}

extension LayoutPage {
    /// What is on the key that shows it.
    var caption: String {
        switch self {
        case .letters: "ABC"
        case .symbols, .numbers: "123"
        case .moreSymbols: "#+="
        case .emoji: "☺"
        }
    }

    var spokenName: String {
        switch self {
        case .letters: "letters"
        case .symbols: "symbols"
        case .moreSymbols: "more symbols"
        case .numbers: "numbers"
        case .emoji: "emoji"
        }
    }
}

extension String {
    /// The capital of a letter; `ß` has one of its own.
    var capitalLetter: String { self == "ß" ? "ẞ" : uppercased() }

    /// Letters and digits speak for themselves; of everything else the name is said.
    public var spokenName: String {
        guard let scalar = unicodeScalars.first, !scalar.properties.isAlphabetic, scalar.properties.numericType == nil,
            let name = scalar.properties.name
        else { return self }
        return name.lowercased()
    }
}
