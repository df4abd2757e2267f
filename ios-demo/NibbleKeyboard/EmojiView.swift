import NibbleKeyboardAdapter
import UIKit

/// The emoji, in groups that scroll.
final class EmojiView: UICollectionView, UICollectionViewDataSource, UICollectionViewDelegate {
    /// An emoji was chosen.
    var onChoice: (String) -> Void = { _ in }

    init() {
        let layout = UICollectionViewFlowLayout()
        layout.itemSize = CGSize(width: 44, height: 44)
        layout.minimumInteritemSpacing = 2
        layout.minimumLineSpacing = 2
        super.init(frame: .zero, collectionViewLayout: layout)
        backgroundColor = .clear
        register(EmojiCell.self, forCellWithReuseIdentifier: EmojiCell.name)
        dataSource = self
        delegate = self
    }

    @available(*, unavailable)
    required init?(coder: NSCoder) {
        nil
    }

    func numberOfSections(in collectionView: UICollectionView) -> Int { EmojiPage.groups.count }

    func collectionView(_ collectionView: UICollectionView, numberOfItemsInSection section: Int) -> Int {
        EmojiPage.groups[section].emoji.count
    }

    func collectionView(
        _ collectionView: UICollectionView, cellForItemAt indexPath: IndexPath
    ) -> UICollectionViewCell {
        let cell = collectionView.dequeueReusableCell(withReuseIdentifier: EmojiCell.name, for: indexPath)
        (cell as? EmojiCell)?.show(emoji(at: indexPath))
        return cell
    }

    func collectionView(_ collectionView: UICollectionView, didSelectItemAt indexPath: IndexPath) {
        onChoice(emoji(at: indexPath))
    }

    private func emoji(at path: IndexPath) -> String { EmojiPage.groups[path.section].emoji[path.item] }
}

private final class EmojiCell: UICollectionViewCell {
    static let name = "emoji"
    private let label = UILabel()

    override init(frame: CGRect) {
        super.init(frame: frame)
        label.frame = contentView.bounds
        label.autoresizingMask = [.flexibleWidth, .flexibleHeight]
        label.textAlignment = .center
        label.font = .systemFont(ofSize: 30)
        contentView.addSubview(label)
        isAccessibilityElement = true
        accessibilityTraits = .keyboardKey
    }

    @available(*, unavailable)
    required init?(coder: NSCoder) {
        nil
    }

    func show(_ emoji: String) {
        label.text = emoji
        accessibilityLabel = emoji.spokenName
    }
}
