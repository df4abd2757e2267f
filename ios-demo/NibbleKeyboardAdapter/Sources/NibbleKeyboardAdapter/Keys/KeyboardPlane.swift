import Foundation
import Nibble

/// A page of keys at a size in points.
///
/// Letters and symbols are where the engine's layout says. Keys that only a phone needs, those for emoji and for the next
/// keyboard, are cut from the space bar.
public struct KeyboardPlane: Equatable, Sendable {
    /// The page.
    public let page: LayoutPage
    /// Size of all keys, in points.
    public let size: CGSize
    /// The keys, row by row.
    public let keys: [KeyboardKey]
    /// Points in a key width, across and down.
    private let scale: CGSize

    /// Lays a page out.
    ///
    /// - Parameter hasNextKeyboardKey: What the system says in `needsInputModeSwitchKey`.
    public init(_ page: LayoutPage, of layout: KeyboardLayout, size: CGSize, hasNextKeyboardKey: Bool) throws {
        self.page = page
        self.size = size
        scale = CGSize(
            width: size.width / CGFloat(try layout.width), height: size.height / CGFloat(try layout.height))
        switch page {
        case .letters, .symbols, .moreSymbols:
            keys = Self.keys(
                try layout.keys(on: page), page: page, scale: scale, hasNextKeyboardKey: hasNextKeyboardKey)
        case .numbers: keys = Self.numbers(size: size, hasNextKeyboardKey: hasNextKeyboardKey)
        case .emoji: keys = Self.belowEmoji(size: size, hasNextKeyboardKey: hasNextKeyboardKey)
        }
    }

    /// The height that suits a width: rows as high as fingers ask for on a phone, lower where the screen is low, and
    /// higher on a tablet.
    ///
    /// - Parameters:
    ///   - width: Of the keyboard, in points.
    ///   - screenHeight: Of the whole screen or window, in points.
    ///   - rows: Rows of the layout's letters.
    public static func height(forWidth width: CGFloat, screenHeight: CGFloat, rows: Int = 4) -> CGFloat {
        let isTablet = min(width, screenHeight) >= 500
        let row: CGFloat = isTablet ? 66 : width > screenHeight ? 40 : 54
        // In a narrow window beside another, or on a small screen, the keys must not take more than half of it.
        return min(row * CGFloat(rows), screenHeight / 2).rounded()
    }

    /// The height of a panel above the keys: some rows of a list, and less where the text that is typed would be hidden.
    public static func panelHeight(aboveKeys keysHeight: CGFloat, screenHeight: CGFloat) -> CGFloat {
        max(88, min(240, (screenHeight * 0.8 - keysHeight).rounded()))
    }

    /// The key at a point: the nearest one where none is; `nil` outside of all keys.
    public func key(at point: CGPoint) -> KeyboardKey? {
        guard CGRect(origin: .zero, size: size).contains(point) else { return nil }
        return keys.min { $0.frame.squaredDistance(to: point) < $1.frame.squaredDistance(to: point) }
    }

    /// A touch as the engine takes it. Only keys of its layout have one.
    public func tap(at point: CGPoint, on key: KeyboardKey) -> Tap? {
        guard let centre = key.layoutCentre else { return nil }
        return Tap(
            x: Float(centre.x + (point.x - key.frame.midX) / scale.width),
            y: Float(centre.y + (point.y - key.frame.midY) / scale.height))
    }

    // MARK: Pages

    private static func keys(
        _ keys: [KeyboardLayout.Key], page: LayoutPage, scale: CGSize, hasNextKeyboardKey: Bool
    ) -> [KeyboardKey] {
        // One width each for emoji and the next keyboard.
        let extra: [KeyboardKey.Action] = (hasNextKeyboardKey ? [.nextKeyboard] : []) + [.showPage(.emoji)]
        return keys.flatMap { key -> [KeyboardKey] in
            let centre = CGPoint(x: CGFloat(key.x), y: CGFloat(key.y))
            var frame = CGRect(
                x: (centre.x - CGFloat(key.width) / 2) * scale.width,
                y: (centre.y - CGFloat(key.height) / 2) * scale.height,
                width: CGFloat(key.width) * scale.width, height: CGFloat(key.height) * scale.height)
            switch key.action {
            case .character(" "):
                let cut = extra.map { action -> KeyboardKey in
                    let part = CGRect(x: frame.minX, y: frame.minY, width: scale.width, height: frame.height)
                    frame = CGRect(
                        x: part.maxX, y: frame.minY, width: frame.width - part.width, height: frame.height)
                    return KeyboardKey(action, frame: part)
                }
                return cut + [KeyboardKey(.space, frame: frame)]
            case .character(let text):
                return [
                    KeyboardKey(.character(text), frame: frame, longPress: key.longPress, layoutCentre: centre)
                ]
            case .shift: return [KeyboardKey(.shift, frame: frame)]
            case .backspace: return [KeyboardKey(.backspace, frame: frame)]
            case .enter: return [KeyboardKey(.enter, frame: frame)]
            case .showPage(let page): return [KeyboardKey(.showPage(page), frame: frame)]
            }
        }
    }

    /// Large digits, as on a telephone.
    private static func numbers(size: CGSize, hasNextKeyboardKey: Bool) -> [KeyboardKey] {
        let rows: [[KeyboardKey.Action]] = [
            [.character("1"), .character("2"), .character("3"), .backspace],
            [.character("4"), .character("5"), .character("6"), .character("-")],
            [.character("7"), .character("8"), .character("9"), .character(".")],
            [hasNextKeyboardKey ? .nextKeyboard : .character("+"), .character("0"), .showPage(.letters), .enter],
        ]
        let key = CGSize(width: size.width / 4, height: size.height / CGFloat(rows.count))
        return rows.enumerated().flatMap { row, actions in
            actions.enumerated().map { column, action in
                KeyboardKey(
                    action,
                    frame: CGRect(
                        origin: CGPoint(x: CGFloat(column) * key.width, y: CGFloat(row) * key.height), size: key))
            }
        }
    }

    /// The row below the emoji, which scroll above it.
    private static func belowEmoji(size: CGSize, hasNextKeyboardKey: Bool) -> [KeyboardKey] {
        let actions: [KeyboardKey.Action] =
            [.showPage(.letters)] + (hasNextKeyboardKey ? [.nextKeyboard] : []) + [.space, .backspace]
        let height = (size.height / 4).rounded()
        let side = size.width * 0.15
        var x: CGFloat = 0
        return actions.map { action in
            let width = action == .space ? size.width - side * CGFloat(actions.count - 1) : side
            defer { x += width }
            return KeyboardKey(action, frame: CGRect(x: x, y: size.height - height, width: width, height: height))
        }
    }
}

extension CGRect {
    fileprivate func squaredDistance(to point: CGPoint) -> CGFloat {
        let x = max(minX - point.x, 0, point.x - maxX)
        let y = max(minY - point.y, 0, point.y - maxY)
        return x * x + y * y
    }
}
