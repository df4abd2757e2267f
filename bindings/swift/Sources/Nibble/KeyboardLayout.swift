internal import NibbleBindings

/// A page of keys.
public enum LayoutPage: Hashable, Sendable {
    /// Letters.
    case letters
    /// Digits and common symbols.
    case symbols
    /// Rarer symbols, behind the shift key of the symbols.
    case moreSymbols
    /// Large digits, for fields of digits.
    case numbers
    /// Emoji.
    case emoji

    init(_ page: NibbleBindings.LayoutPage) {
        switch page {
        case .letters: self = .letters
        case .symbols: self = .symbols
        case .moreSymbols: self = .moreSymbols
        case .numbers: self = .numbers
        case .emoji: self = .emoji
        }
    }

    var generated: NibbleBindings.LayoutPage {
        switch self {
        case .letters: .letters
        case .symbols: .symbols
        case .moreSymbols: .moreSymbols
        case .numbers: .numbers
        case .emoji: .emoji
        }
    }
}

/// Where the keys are. Lengths count key widths: a letter key is 1 wide.
public final class KeyboardLayout: Sendable {
    /// A key and its rectangle.
    public struct Key: Hashable, Sendable {
        /// What a key does.
        public enum Action: Hashable, Sendable {
            /// Types a character; a space is one.
            case character(String)
            /// Upper case for the next letter, or for all.
            case shift
            /// Deletes before the cursor.
            case backspace
            /// A new line, or the field's action.
            case enter
            /// Shows another page.
            case showPage(LayoutPage)
        }

        /// What it does.
        public let action: Action
        /// Its centre, from the left edge.
        public let x: Float
        /// Its centre, from the upper edge.
        public let y: Float
        /// Its width.
        public let width: Float
        /// Its height.
        public let height: Float
        /// The characters that it offers when it is held.
        public let longPress: [String]

        init(_ key: NibbleBindings.Key) {
            action =
                switch key.action {
                case .character(let text): .character(text)
                case .shift: .shift
                case .backspace: .backspace
                case .enter: .enter
                case .showPage(let page): .showPage(LayoutPage(page))
                }
            x = key.x
            y = key.y
            width = key.width
            height = key.height
            longPress = key.longPress
        }
    }

    let generated: NibbleBindings.Layout

    /// The names of the layouts that come along.
    public static var builtinNames: [String] {
        get throws { try translatingErrors { try builtinLayouts() } }
    }

    /// One of the layouts that come along: `qwerty`, `qwertz`, `azerty`, `jcuken`.
    public init(named name: String) throws {
        generated = try translatingErrors { try NibbleBindings.Layout.builtin(name: name) }
    }

    /// A layout from JSON, in the form of the files that come along.
    public init(json: String) throws {
        generated = try translatingErrors { try NibbleBindings.Layout.fromJson(json: json) }
    }

    /// Its name.
    public var name: String {
        get throws { try translatingErrors { try generated.name() } }
    }

    /// Width of the keyboard.
    public var width: Float {
        get throws { try translatingErrors { try generated.width() } }
    }

    /// Height of the keyboard.
    public var height: Float {
        get throws { try translatingErrors { try generated.height() } }
    }

    /// The keys of a page, row by row; none where the layout has no such page.
    public func keys(on page: LayoutPage) throws -> [Key] {
        try translatingErrors { try generated.keys(page: page.generated) }.map(Key.init)
    }

    /// The key of a page at a point: the nearest one where there is a gap; `nil` outside the keyboard.
    public func key(on page: LayoutPage, x: Float, y: Float) throws -> Key? {
        try translatingErrors { try generated.keyAt(page: page.generated, x: x, y: y) }.map(Key.init)
    }

    /// Gives the layout up now instead of with the last reference. Engines that were made with it keep it; everything
    /// else throws ``NibbleError/closed(_:)`` from now on.
    public func close() {
        // Giving up cannot fail, and there would be nothing to do about it.
        try? generated.release()
    }
}
