import NibbleKeyboardAdapter
import UIKit

/// The suggestions above the keys, and ghost text in a line over them.
final class StripView: UIView {
    /// A slot was tapped.
    var onTap: (SuggestionStrip.Slot) -> Void = { _ in }
    /// The ghost text was tapped.
    var onGhost: () -> Void = {}
    /// The panel is asked for.
    var onPanel: () -> Void = {}
    private let slots = UIStackView()
    private let ghost = UIButton(type: .system)

    override init(frame: CGRect) {
        super.init(frame: frame)
        slots.distribution = .fillEqually
        ghost.titleLabel?.font = KeyboardFonts.ghost
        ghost.titleLabel?.adjustsFontForContentSizeCategory = true
        ghost.titleLabel?.lineBreakMode = .byTruncatingTail
        ghost.setTitleColor(KeyboardColors.ghost, for: .normal)
        ghost.addAction(UIAction { [weak self] _ in self?.onGhost() }, for: .touchUpInside)
        let panel = UIButton(type: .system)
        panel.setImage(UIImage(systemName: "ellipsis.circle"), for: .normal)
        panel.accessibilityLabel = "learned words and statistics"
        panel.addAction(UIAction { [weak self] _ in self?.onPanel() }, for: .touchUpInside)
        panel.widthAnchor.constraint(equalToConstant: 44).isActive = true
        let texts = UIStackView(arrangedSubviews: [ghost, slots])
        texts.axis = .vertical
        let stack = UIStackView(arrangedSubviews: [texts, panel])
        stack.frame = bounds
        stack.autoresizingMask = [.flexibleWidth, .flexibleHeight]
        addSubview(stack)
    }

    @available(*, unavailable)
    required init?(coder: NSCoder) {
        nil
    }

    func show(_ strip: SuggestionStrip) {
        ghost.isHidden = strip.ghost.isEmpty
        ghost.setTitle(strip.ghost, for: .normal)
        ghost.accessibilityLabel = strip.ghostAccessibilityLabel
        slots.arrangedSubviews.forEach { $0.removeFromSuperview() }
        for slot in strip.slots {
            let button = UIButton(type: .system)
            button.setTitle(slot.text, for: .normal)
            button.titleLabel?.font = KeyboardFonts.suggestion
            button.titleLabel?.adjustsFontForContentSizeCategory = true
            button.titleLabel?.adjustsFontSizeToFitWidth = true
            button.titleLabel?.minimumScaleFactor = 0.6
            button.setTitleColor(slot.isHighlighted ? KeyboardColors.accent : KeyboardColors.text, for: .normal)
            button.accessibilityLabel = slot.accessibilityLabel
            button.addAction(UIAction { [weak self] _ in self?.onTap(slot) }, for: .touchUpInside)
            slots.addArrangedSubview(button)
        }
    }
}
