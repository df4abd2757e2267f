import Nibble

/// What the strip above the keys shows, and what a tap on it means.
public struct SuggestionStrip: Hashable, Sendable {
    /// One slot.
    public struct Slot: Hashable, Sendable {
        /// What is drawn; the typed word is in quotation marks.
        public let text: String
        /// Whether it replaces the typed word when the word ends.
        public let isHighlighted: Bool
        /// What VoiceOver says of it.
        public let accessibilityLabel: String
        /// What happens at a tap.
        let event: KeyboardEvent
    }

    /// From left to right.
    public private(set) var slots: [Slot] = []
    /// Text that is foreseen, drawn greyed in a line of its own: another app's field cannot be drawn in. Empty for none.
    public private(set) var ghost = ""

    /// An empty strip.
    public init() {}

    /// What VoiceOver says of the ghost text.
    public var ghostAccessibilityLabel: String { "continue with:\(ghost.hasPrefix(" ") ? "" : " ")\(ghost)" }

    mutating func show(_ strip: Strip) {
        slots = strip.slots.enumerated().map { index, slot in
            let isHighlighted = index == strip.highlighted
            let spoken = slot.kind == .emoji ? slot.text.spokenName : slot.text
            let label =
                switch slot.kind {
                case .typed: "keep \(spoken)"
                case .correction: isHighlighted ? "will become \(spoken)" : spoken
                default: spoken
                }
            return Slot(
                text: slot.kind == .typed ? "“\(slot.text)”" : slot.text, isHighlighted: isHighlighted,
                accessibilityLabel: label, event: .tapSuggestion(strip: strip.serial, slot: index))
        }
    }

    mutating func showGhost(_ text: String) {
        ghost = text
    }
}
