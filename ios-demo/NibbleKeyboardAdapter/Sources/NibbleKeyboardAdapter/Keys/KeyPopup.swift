import Foundation
import Nibble

/// What floats above a touched key: its face, or, once it has been held, what else it offers.
public struct KeyPopup: Equatable, Sendable {
    /// Narrower ones could not be hit, or seen beside a finger.
    private static let narrowest: CGFloat = 34

    /// What it shows; the first is chosen at first.
    public let texts: [String]
    /// Where it is, in points from the upper left corner of the keys. It may reach above them.
    public let frame: CGRect
    /// Whether the first text is the rightmost one, so that it is above the key where there is no room to the right.
    private let isReversed: Bool

    /// Lays texts out above a key.
    ///
    /// - Parameters:
    ///   - texts: One or more.
    ///   - key: Frame of the key.
    ///   - width: Of all keys, in points.
    ///   - roomAbove: Points above the keys that may be covered.
    public init(_ texts: [String], above key: CGRect, width: CGFloat, roomAbove: CGFloat) {
        self.texts = texts
        isReversed = texts.count > 1 && key.midX > width / 2
        let cell = min(max(key.width, Self.narrowest), width / CGFloat(max(texts.count, 1)))
        let total = cell * CGFloat(texts.count)
        let x = isReversed ? key.midX + cell / 2 - total : key.midX - cell / 2
        frame = CGRect(
            x: max(0, min(x, width - total)), y: max(-roomAbove, key.minY - key.height), width: total,
            height: key.height)
    }

    /// Where a text is, in points from the upper left corner of the pop-up.
    public func frame(of index: Int) -> CGRect {
        let cell = frame.width / CGFloat(max(texts.count, 1))
        let column = isReversed ? texts.count - 1 - index : index
        return CGRect(x: CGFloat(column) * cell, y: 0, width: cell, height: frame.height)
    }

    /// Index of the text that a finger chooses, `x` points from the left edge of the pop-up: the nearest one.
    public func index(at x: CGFloat) -> Int {
        guard frame.width > 0 else { return 0 }
        let column = Int(max(0, min(x / frame.width * CGFloat(texts.count), CGFloat(texts.count) - 1)))
        return isReversed ? texts.count - 1 - column : column
    }
}

extension KeyboardKey {
    /// What is shown above it while it is touched; `nil` for keys that type nothing that a finger hides.
    public func preview(_ shift: ShiftState) -> String? {
        guard case .character = action, case .text(let text) = face(shift) else { return nil }
        return text
    }
}
