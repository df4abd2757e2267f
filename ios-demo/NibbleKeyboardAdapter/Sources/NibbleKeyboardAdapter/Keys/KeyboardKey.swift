import Foundation
import Nibble

/// A key on the screen.
public struct KeyboardKey: Equatable, Sendable {
    /// What a key does.
    public enum Action: Hashable, Sendable {
        /// Types what is on it.
        case character(String)
        /// The space bar.
        case space
        /// Upper case, or the other page of symbols.
        case shift
        /// Deletes; repeats while it is held.
        case backspace
        /// A new line, or the field's action.
        case enter
        /// Shows another page.
        case showPage(LayoutPage)
        /// Switches to the next keyboard; the system does it.
        case nextKeyboard
    }

    /// What it does.
    public let action: Action
    /// Where it is touched, in points from the upper left corner of the keys. Keys touch each other; what is drawn is
    /// smaller.
    public let frame: CGRect
    /// What it offers when it is held.
    public let longPress: [String]
    /// Where it lies in the engine's layout, for corrections; `nil` for keys that are not there.
    let layoutCentre: CGPoint?

    init(_ action: Action, frame: CGRect, longPress: [String] = [], layoutCentre: CGPoint? = nil) {
        self.action = action
        self.frame = frame
        self.longPress = longPress
        self.layoutCentre = layoutCentre
    }
}
