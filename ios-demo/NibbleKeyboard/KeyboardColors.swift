import UIKit

/// Colours of the keyboard, light and dark.
enum KeyboardColors {
    static let background = dynamic(light: 0xD1D4DA, dark: 0x2B2B2D)
    static let key = dynamic(light: 0xFFFFFF, dark: 0x6B6B6D)
    static let specialKey = dynamic(light: 0xABB1BC, dark: 0x474749)
    static let pressedKey = dynamic(light: 0xB8BDC7, dark: 0x8A8A8C)
    static let text = UIColor.label
    static let ghost = UIColor.secondaryLabel
    static let accent = UIColor.tintColor

    private static func dynamic(light: Int, dark: Int) -> UIColor {
        UIColor { traits in color(traits.userInterfaceStyle == .dark ? dark : light) }
    }

    private static func color(_ rgb: Int) -> UIColor {
        UIColor(
            red: CGFloat(rgb >> 16 & 0xFF) / 255, green: CGFloat(rgb >> 8 & 0xFF) / 255,
            blue: CGFloat(rgb & 0xFF) / 255, alpha: 1)
    }
}

/// Fonts of the keyboard. They follow Dynamic Type as far as keys have room.
enum KeyboardFonts {
    static func key(isWord: Bool) -> UIFont {
        UIFontMetrics(forTextStyle: .title3).scaledFont(
            for: .systemFont(ofSize: isWord ? 16 : 23), maximumPointSize: isWord ? 22 : 32)
    }

    static var suggestion: UIFont {
        UIFontMetrics(forTextStyle: .body).scaledFont(for: .systemFont(ofSize: 17), maximumPointSize: 28)
    }

    static var ghost: UIFont {
        UIFontMetrics(forTextStyle: .footnote).scaledFont(for: .systemFont(ofSize: 13), maximumPointSize: 20)
    }
}
