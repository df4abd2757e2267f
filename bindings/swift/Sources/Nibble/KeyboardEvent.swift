internal import NibbleBindings

/// Something that happened, for a ``KeyboardController``.
public enum KeyboardEvent: Hashable, Sendable {
    /// A text field took the focus, or the one that has it started anew.
    case focus(FieldFocus)
    /// The field lost the focus. Until the next focus nothing can be typed.
    case blur
    /// The text or the selection may have changed; also the answer to a reading of the text.
    case editor(EditorUpdate)
    /// A key that types something: what is on it before shift, usually one user-perceived character, and where it
    /// was touched, if it was.
    case character(String, tap: Tap? = nil)
    /// The space bar.
    case space
    /// The enter key.
    case enter
    /// The backspace key; a held key repeats the event.
    case backspace
    /// One tap of the shift key. Two in quick succession lock it.
    case shift
    /// A key that switches the page of keys.
    case layout(LayoutPage)
    /// The cursor is to move by so many user-perceived characters; negative is towards the start.
    case moveCursor(by: Int)
    /// A slot was tapped, of the strip with this serial, which was on the screen.
    case tapSuggestion(strip: UInt64, slot: Int)
    /// The gesture that accepts ghost text.
    case acceptGhost(GhostPart)
    /// The engine answered.
    case answer(Suggestions)
    /// The engine came up or died. It is taken for alive until told otherwise.
    case engine(isAlive: Bool)
    /// The user's settings changed.
    case configure(KeyboardSettings)
    /// Nothing but time passed: about a second after the last event.
    case idle

    func generated() throws -> NibbleBindings.Event {
        switch self {
        case .focus(let focus): .focus(focus: try focus.generated())
        case .blur: .blur
        case .editor(let update): .editor(update: try update.generated())
        case .character(let text, let tap): .character(text: text, tap: tap?.generated)
        case .space: .space
        case .enter: .enter
        case .backspace: .backspace
        case .shift: .shift
        case .layout(let page): .layout(page: page.generated)
        // The controller knows a thousand characters on either side.
        case .moveCursor(let by): .moveCursor(by: Int32(clamping: by))
        case .tapSuggestion(let strip, let slot):
            .tapSuggestion(strip: strip, slot: try unsigned(slot, "slot"))
        case .acceptGhost(let part): .acceptGhost(part: part.generated)
        case .answer(let suggestions): .answer(suggestions: try suggestions.generated())
        case .engine(let isAlive): .engine(alive: isAlive)
        case .configure(let settings): .configure(settings: try settings.generated())
        case .idle: .idle
        }
    }
}

/// Where a finger came down, in key widths from the upper left corner of the keyboard.
public struct Tap: Hashable, Sendable {
    /// From the left edge.
    public var x: Float
    /// From the upper edge.
    public var y: Float

    /// A point.
    public init(x: Float, y: Float) {
        self.x = x
        self.y = y
    }

    var generated: NibbleBindings.Tap { NibbleBindings.Tap(x: x, y: y) }
}

/// How much of the ghost text is accepted.
public enum GhostPart: Hashable, Sendable {
    /// The next word.
    case word
    /// All of it.
    case all

    var generated: NibbleBindings.GhostPart {
        switch self {
        case .word: .word
        case .all: .all
        }
    }
}
