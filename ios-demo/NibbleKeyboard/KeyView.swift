import Nibble
import NibbleKeyboardAdapter
import UIKit

/// The picture of a key. Touches are its parent's; VoiceOver's activation is its own.
final class KeyView: UIView {
    let key: KeyboardKey
    private let cap = UIView()
    private let label = UILabel()
    private let image = UIImageView()
    private let activate: () -> Void

    init(_ key: KeyboardKey, activate: @escaping () -> Void) {
        self.key = key
        self.activate = activate
        super.init(frame: key.frame)
        isUserInteractionEnabled = false
        isAccessibilityElement = true
        accessibilityTraits = .keyboardKey
        cap.frame = bounds.insetBy(dx: 3, dy: 5)
        cap.layer.cornerRadius = 5
        cap.layer.shadowOpacity = 0.25
        cap.layer.shadowOffset = CGSize(width: 0, height: 1)
        cap.layer.shadowRadius = 0
        addSubview(cap)
        label.frame = cap.bounds
        label.textAlignment = .center
        label.adjustsFontForContentSizeCategory = true
        label.adjustsFontSizeToFitWidth = true
        label.minimumScaleFactor = 0.5
        label.textColor = KeyboardColors.text
        cap.addSubview(label)
        image.frame = cap.bounds
        image.contentMode = .center
        image.tintColor = KeyboardColors.text
        cap.addSubview(image)
        drawCap()
    }

    @available(*, unavailable)
    required init?(coder: NSCoder) {
        nil
    }

    var isPressed = false {
        didSet { drawCap() }
    }

    private func drawCap() {
        let colour =
            switch key.action {
            case .character, .space: KeyboardColors.key
            default: KeyboardColors.specialKey
            }
        cap.backgroundColor = isPressed ? KeyboardColors.pressedKey : colour
    }

    func show(_ shift: ShiftState, returnKey: TextInputTraits.ReturnKey) {
        accessibilityLabel = key.accessibilityLabel(shift, returnKey: returnKey)
        switch key.face(shift, returnKey: returnKey) {
        case .text(let text):
            label.text = text
            label.font = KeyboardFonts.key(isWord: text.count > 1)
        case .symbol(let name):
            image.image = UIImage(
                systemName: name, withConfiguration: UIImage.SymbolConfiguration(textStyle: .title3))
        }
    }

    override func accessibilityActivate() -> Bool {
        activate()
        return true
    }
}
