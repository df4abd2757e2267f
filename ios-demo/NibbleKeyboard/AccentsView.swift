import UIKit

/// What a held key offers, above it.
final class AccentsView: UIView {
    private var labels: [UILabel] = []
    /// Index of what is chosen.
    private(set) var chosen = 0

    func show(_ texts: [String], above key: CGRect, in parent: UIView) {
        labels.forEach { $0.removeFromSuperview() }
        let width = min(max(key.width, 34), parent.bounds.width / CGFloat(texts.count))
        let size = CGSize(width: width * CGFloat(texts.count), height: key.height)
        let x = min(max(0, key.midX - width / 2), parent.bounds.width - size.width)
        // Over the row above, or over its own where there is none.
        frame = CGRect(origin: CGPoint(x: x, y: max(0, key.minY - size.height)), size: size)
        backgroundColor = KeyboardColors.key
        layer.cornerRadius = 8
        layer.shadowOpacity = 0.3
        labels = texts.enumerated().map { index, text in
            let label = UILabel(frame: CGRect(x: CGFloat(index) * width, y: 0, width: width, height: size.height))
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

    func select(at point: CGPoint) {
        guard !labels.isEmpty else { return }
        choose(min(max(0, Int(point.x / bounds.width * CGFloat(labels.count))), labels.count - 1))
    }

    private func choose(_ index: Int) {
        chosen = index
        for (position, label) in labels.enumerated() {
            label.backgroundColor = position == index ? KeyboardColors.accent : .clear
            label.textColor = position == index ? .white : KeyboardColors.text
        }
    }
}
