import Nibble
import NibbleKeyboardAdapter
import UIKit

/// Learned words and statistics, above the keys. They are here because the app cannot see the keyboard's own container.
final class PanelView: UIView, UITableViewDataSource, UITableViewDelegate {
    /// The panel is to go.
    var onClose: () -> Void = {}
    /// All words are to be written into the field.
    var onExport: () -> Void = {}
    /// Something went wrong.
    var onError: (any Error) -> Void = { _ in }

    private let words: LearnedWords?
    private let measured: [MeasuredValue]
    private let pages = UISegmentedControl(items: ["Words", "Statistics"])
    private let query = UILabel()
    private let table = UITableView()
    private let export = UIButton(type: .system)
    private let erase = UIButton(type: .system)
    private let close = UIButton(type: .system)

    /// A panel.
    ///
    /// - Parameters:
    ///   - words: `nil` where nothing is learned.
    ///   - exports: Whether the field takes an export.
    init(words: LearnedWords?, measured: [MeasuredValue], exports: Bool) {
        self.words = words
        self.measured = measured
        super.init(frame: .zero)
        words?.onChange = { [weak self] in self?.show() }
        pages.selectedSegmentIndex = 0
        pages.addAction(UIAction { [weak self] _ in self?.show() }, for: .valueChanged)
        close.setTitle("Done", for: .normal)
        close.addAction(UIAction { [weak self] _ in self?.onClose() }, for: .touchUpInside)
        export.setTitle("Type all into the text", for: .normal)
        export.isEnabled = exports
        export.addAction(UIAction { [weak self] _ in self?.onExport() }, for: .touchUpInside)
        erase.tintColor = .systemRed
        erase.addAction(UIAction { [weak self] _ in self?.attempt { try $0.erase() } }, for: .touchUpInside)
        for button in [close, export, erase] {
            button.titleLabel?.font = KeyboardFonts.suggestion
            button.titleLabel?.adjustsFontForContentSizeCategory = true
        }
        query.font = KeyboardFonts.suggestion
        query.adjustsFontForContentSizeCategory = true
        query.setContentHuggingPriority(.fittingSizeLevel, for: .horizontal)
        query.setContentCompressionResistancePriority(.defaultLow, for: .horizontal)
        table.dataSource = self
        table.delegate = self
        table.backgroundColor = .clear

        let head = UIStackView(arrangedSubviews: [pages, query, close])
        let foot = UIStackView(arrangedSubviews: [export, erase])
        foot.distribution = .equalSpacing
        for row in [head, foot] {
            row.spacing = 12
            row.isLayoutMarginsRelativeArrangement = true
            row.directionalLayoutMargins = NSDirectionalEdgeInsets(top: 4, leading: 12, bottom: 4, trailing: 12)
        }
        let stack = UIStackView(arrangedSubviews: [head, table, foot])
        stack.axis = .vertical
        stack.frame = bounds
        stack.autoresizingMask = [.flexibleWidth, .flexibleHeight]
        addSubview(stack)
        show()
    }

    @available(*, unavailable)
    required init?(coder: NSCoder) {
        nil
    }

    private var showsWords: Bool { pages.selectedSegmentIndex == 0 }

    /// Says whether a key was the panel's.
    func take(_ key: KeyboardKey) -> Bool {
        guard showsWords else { return false }
        return attempt { try $0.take(key) } ?? false
    }

    /// Says whether a text was the panel's.
    func take(_ text: String) -> Bool {
        guard showsWords else { return false }
        return attempt { try $0.type(text) } != nil
    }

    private func show() {
        let searched = words?.query ?? ""
        query.text = showsWords ? (searched.isEmpty ? "Type to search" : searched) : ""
        query.textColor = searched.isEmpty ? .secondaryLabel : KeyboardColors.text
        erase.setTitle(words?.asksToErase == true ? "Really erase all?" : "Erase all", for: .normal)
        for button in [export, erase] { button.isHidden = !showsWords || words == nil }
        table.reloadData()
    }

    @discardableResult
    private func attempt<Result>(_ work: (LearnedWords) throws -> Result) -> Result? {
        guard let words else { return nil }
        do {
            return try work(words)
        } catch {
            onError(error)
            return nil
        }
    }

    // MARK: Rows

    func tableView(_ tableView: UITableView, numberOfRowsInSection section: Int) -> Int {
        showsWords ? words?.words.count ?? 0 : measured.count
    }

    func tableView(_ tableView: UITableView, cellForRowAt indexPath: IndexPath) -> UITableViewCell {
        let cell =
            tableView.dequeueReusableCell(withIdentifier: "row")
            ?? UITableViewCell(style: .default, reuseIdentifier: "row")
        var content = UIListContentConfiguration.valueCell()
        if showsWords, let word = words?.words[indexPath.row] {
            content.text = word.text
            content.secondaryText = "\(word.uses)"
        } else if !showsWords {
            content.text = measured[indexPath.row].name
            content.secondaryText = measured[indexPath.row].value
        }
        cell.contentConfiguration = content
        cell.backgroundColor = .clear
        cell.selectionStyle = .none
        return cell
    }

    func tableView(
        _ tableView: UITableView, trailingSwipeActionsConfigurationForRowAt indexPath: IndexPath
    ) -> UISwipeActionsConfiguration? {
        guard showsWords, let word = words?.words[indexPath.row] else { return nil }
        let remove = UIContextualAction(style: .destructive, title: "Forget") { [weak self] _, _, done in
            done(self?.attempt { try $0.remove(word) } != nil)
        }
        return UISwipeActionsConfiguration(actions: [remove])
    }
}
