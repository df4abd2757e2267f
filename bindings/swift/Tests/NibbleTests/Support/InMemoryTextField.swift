import Nibble

/// A text field in memory that behaves as a platform's does: it carries out the controller's edits, can be changed by
/// others, and reports changes at once, late, or several as one. Positions count Unicode scalar values.
struct InMemoryTextField {
    /// How a field reports.
    struct Reporting {
        /// Whether reports carry the text, as on iOS, or only positions, as on Android.
        var text = true
        /// Whether a report that was not fetched yet makes way for the next.
        var coalesced = false
        /// Whether all edits of a batch are reported as one.
        var batched = true
        /// Scalar values that a window reaches on either side of the selection.
        var window = Int.max
        /// Unit of positions; `nil` for a field that has none.
        var unit: PositionUnit? = .scalar
    }

    private var scalars: [Unicode.Scalar]
    private var start: Int
    private var end: Int
    private var composingRange = 0..<0
    private let reporting: Reporting
    private var reports: [EditorUpdate] = []
    private var answers: [EditorUpdate] = []
    /// Refuses insertions that would make the text longer.
    var limit: Int?

    init(_ text: String, reporting: Reporting) {
        scalars = Array(text.unicodeScalars)
        start = scalars.count
        end = scalars.count
        self.reporting = reporting
    }

    var before: String { String(scalars[..<start]) }
    var selected: String { String(scalars[start..<end]) }
    var after: String { String(scalars[end...]) }
    var composing: String { String(scalars[composingRange]) }

    /// The window around the selection and the selection's positions, as the platform gives them.
    func read() -> (EditorText, EditorSelection?) {
        let from = start > reporting.window ? start - reporting.window : 0
        let to = scalars.count - end > reporting.window ? end + reporting.window : scalars.count
        let text = EditorText(
            before: String(scalars[from..<start]), selected: selected, after: String(scalars[end..<to]),
            isBeforeCut: from > 0, isAfterCut: to < scalars.count)
        let selection = reporting.unit.map { unit in
            let length: (String) -> Int = { unit == .scalar ? $0.unicodeScalars.count : $0.utf16.count }
            return EditorSelection(start: length(before), end: length(before) + length(selected))
        }
        return (text, selection)
    }

    // MARK: The controller's actions

    mutating func apply(_ actions: [KeyboardAction]) {
        var wasEdited = false
        for action in actions {
            switch action {
            case .edit(let edit):
                apply(edit)
                wasEdited = true
                if !reporting.batched { report(withText: reporting.text) }
            case .compose(let text):
                composingRange = max(0, start - text.unicodeScalars.count)..<start
            case .finishComposing:
                composingRange = 0..<0
            case .readText(let serial):
                let (text, selection) = read()
                answers.append(EditorUpdate(text: text, selection: selection, answers: serial))
            default:
                break
            }
        }
        if wasEdited && reporting.batched { report(withText: reporting.text) }
    }

    private mutating func apply(_ edit: TextEdit) {
        composingRange = 0..<0
        switch edit {
        case .insert(let text):
            insert(text)
        case .delete(let before, let after):
            let after = min(after.unicodeScalars.count, scalars.count - end)
            scalars.removeSubrange(end..<end + after)
            let before = min(before.unicodeScalars.count, start)
            scalars.removeSubrange(start - before..<start)
            start -= before
            end -= before
        case .deleteSelection:
            insert("")
        case .pressBackspace:
            if start == end { start -= before.last?.unicodeScalars.count ?? 0 }
            insert("")
        case .moveCursor(let by, _):
            start = min(max(0, end + by), scalars.count)
            end = start
        }
    }

    /// Replaces the selection.
    private mutating func insert(_ text: String) {
        let inserted = Array(text.unicodeScalars)
        let length = scalars.count - (end - start) + inserted.count
        if let limit, !inserted.isEmpty, length > limit { return }
        scalars.replaceSubrange(start..<end, with: inserted)
        start += inserted.count
        end = start
    }

    // MARK: What others do

    mutating func select(_ from: Int, _ to: Int) {
        start = min(from, scalars.count)
        end = min(max(to, start), scalars.count)
        // Among several changes that come as one, positions alone could cancel out.
        report(withText: reporting.text || reporting.coalesced)
    }

    mutating func paste(_ text: String) {
        composingRange = 0..<0
        insert(text)
        report(withText: true)
    }

    mutating func setText(_ text: String, _ from: Int, _ to: Int) {
        composingRange = 0..<0
        scalars = Array(text.unicodeScalars)
        start = min(from, scalars.count)
        end = min(max(to, start), scalars.count)
        report(withText: true)
    }

    // MARK: Reports

    private mutating func report(withText: Bool) {
        var withText = withText
        if reporting.coalesced {
            // Text that had to be reported still has to be.
            withText = withText || reports.contains { $0.text != nil }
            reports.removeAll()
        }
        let (text, selection) = read()
        reports.append(
            EditorUpdate(text: withText || selection == nil ? text : nil, selection: selection))
    }

    mutating func nextReport() -> EditorUpdate? { reports.isEmpty ? nil : reports.removeFirst() }
    mutating func nextAnswer() -> EditorUpdate? { answers.isEmpty ? nil : answers.removeFirst() }
}

extension String {
    init(_ scalars: ArraySlice<Unicode.Scalar>) {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: scalars)
        self.init(text)
    }
}
