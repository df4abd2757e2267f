import Foundation
import Nibble

/// What a finger on the space bar means: a press, a cursor that follows it, or ghost text that a swipe to the right
/// accepts.
public struct SpaceBarGesture: Hashable, Sendable {
    /// What lifting the finger does.
    public enum End: Hashable, Sendable {
        /// The key is pressed.
        case press
        /// Ghost text is accepted.
        case accept(GhostPart)
        /// Nothing more.
        case nothing
    }

    /// Points from which on a finger slides.
    static let slop: CGFloat = 16
    /// Points that move the cursor by one character.
    static let pointsPerCharacter: CGFloat = 8

    /// What lifting the finger now does.
    public private(set) var end = End.press
    private let width: CGFloat
    private let hasGhost: Bool
    private var moved = 0

    /// A finger came down on the space bar.
    ///
    /// - Parameters:
    ///   - width: Of the space bar, in points. A swipe over more than half of it accepts all of the ghost text.
    ///   - hasGhost: Whether ghost text is shown.
    public init(width: CGFloat, hasGhost: Bool) {
        self.width = width
        self.hasGhost = hasGhost
    }

    /// The finger is so many points right of where it came down; negative is left.
    ///
    /// - Returns: Characters that the cursor moves by.
    public mutating func slide(to distance: CGFloat) -> Int {
        guard end != .press || abs(distance) >= Self.slop else { return 0 }
        if hasGhost && distance > 0 && moved == 0 {
            end = .accept(distance > width / 2 ? .all : .word)
            return 0
        }
        end = .nothing
        let characters = Int(distance / Self.pointsPerCharacter)
        defer { moved = characters }
        return characters - moved
    }
}
