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
    private var buttons: [UIButton] = []
    private var shown = SuggestionStrip()
    /// What a finger came down on, by the index of its button: another strip may be shown before it leaves.
    private var touched: [Int: SuggestionStrip.Slot] = [:]
    private let ghost = UIButton(type: .system)

    override init(frame: CGRect) {
        super.init(frame: frame)
        slots.distribution = .fillEqually
        ghost.isHidden = true
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

    /// Shows a strip. Buttons stay what they are: one that is replaced loses the finger on it.
    func show(_ strip: SuggestionStrip) {
        guard strip != shown else { return }
        shown = strip
        ghost.isHidden = strip.ghost.isEmpty
        ghost.setTitle(strip.ghost, for: .normal)
        ghost.accessibilityLabel = strip.ghostAccessibilityLabel
        while buttons.count < strip.slots.count { addButton() }
        for (index, button) in buttons.enumerated() {
            button.isHidden = index >= strip.slots.count
            guard index < strip.slots.count else { continue }
            let slot = strip.slots[index]
            button.setTitle(slot.text, for: .normal)
            button.setTitleColor(slot.isHighlighted ? KeyboardColors.accent : KeyboardColors.text, for: .normal)
            button.accessibilityLabel = slot.accessibilityLabel
        }
    }

    private func addButton() {
        let button = UIButton(type: .system)
        let index = buttons.count
        button.titleLabel?.font = KeyboardFonts.suggestion
        button.titleLabel?.adjustsFontForContentSizeCategory = true
        button.titleLabel?.adjustsFontSizeToFitWidth = true
        button.titleLabel?.minimumScaleFactor = 0.6
        button.addAction(UIAction { [weak self] _ in self?.touch(index) }, for: .touchDown)
        button.addAction(UIAction { [weak self] _ in self?.tap(index) }, for: .touchUpInside)
        button.addAction(
            UIAction { [weak self] _ in self?.touched[index] = nil }, for: [.touchUpOutside, .touchCancel])
        buttons.append(button)
        slots.addArrangedSubview(button)
    }

    private func touch(_ index: Int) {
        touched[index] = index < shown.slots.count ? shown.slots[index] : nil
    }

    private func tap(_ index: Int) {
        // A screen reader taps without a finger.
        if touched[index] == nil { touch(index) }
        if let slot = touched.removeValue(forKey: index) { onTap(slot) }
    }
}
