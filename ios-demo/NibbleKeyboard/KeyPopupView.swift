import NibbleKeyboardAdapter
import UIKit

/// The picture of what floats above a touched key.
final class KeyPopupView: UIView {
    private var labels: [UILabel] = []
    private var popup: KeyPopup?
    /// Index of what is chosen.
    private(set) var chosen = 0

    func show(_ popup: KeyPopup, in parent: UIView) {
        self.popup = popup
        frame = popup.frame
        isUserInteractionEnabled = false
        backgroundColor = KeyboardColors.key
        layer.cornerRadius = 8
        layer.shadowOpacity = 0.3
        labels.forEach { $0.removeFromSuperview() }
        labels = popup.texts.enumerated().map { index, text in
            let label = UILabel(frame: popup.frame(of: index))
            label.text = text
            label.textAlignment = .center
            label.font = KeyboardFonts.key(isWord: false)
            label.layer.cornerRadius = 6
            label.clipsToBounds = true
            addSubview(label)
            return label
        }
        parent.addSubview(self)
        choose(0)
    }

    /// Chooses what is under a finger, which is at a point of this view.
    func select(at point: CGPoint) {
        guard let popup else { return }
        choose(popup.index(at: point.x))
    }

    private func choose(_ index: Int) {
        chosen = index
        for (position, label) in labels.enumerated() {
            let isMarked = labels.count > 1 && position == index
            label.backgroundColor = isMarked ? KeyboardColors.accent : .clear
            label.textColor = isMarked ? .white : KeyboardColors.text
        }
    }
}
