import Nibble

/// Reads the text around the selection, and judges whether the field has more than it shows.
///
/// The system gives some 200 characters, in some apps only the present sentence or line, and does not say that it cut.
struct EditorWindow {
    /// UTF-16 code units from which on a window is taken for cut.
    var cutLength = 100
    /// Whether this field has shown less before the cursor than is known to be there.
    private var showsLessBefore = false
    /// Whether this field has shown less after the cursor than is known to be there.
    private var showsLessAfter = false

    init(cutLength: Int = 100) {
        self.cutLength = cutLength
    }

    /// Another field begins.
    mutating func reset() {
        showsLessBefore = false
        showsLessAfter = false
    }

    /// The text as the field shows it now. `known` is the text as it is, where that is beyond doubt.
    @MainActor
    mutating func read(_ proxy: any TextDocumentProxy, known: EditorText?) -> EditorText {
        let before = proxy.documentContextBeforeInput ?? ""
        let selected = proxy.selectedText ?? ""
        let after = proxy.documentContextAfterInput ?? ""
        if before.isEmpty && selected.isEmpty && after.isEmpty {
            return EditorText(isBeforeCut: proxy.hasText, isAfterCut: proxy.hasText)
        }
        if let known {
            if !before.isEmpty && known.before.hasScalarSuffix(before) && !before.hasSameScalars(as: known.before) {
                showsLessBefore = true
            }
            if !after.isEmpty && known.after.hasScalarPrefix(after) && !after.hasSameScalars(as: known.after) {
                showsLessAfter = true
            }
        }
        return EditorText(
            before: before, selected: selected, after: after,
            isBeforeCut: showsLessBefore && !before.isEmpty || before.utf16.count >= cutLength,
            isAfterCut: showsLessAfter && !after.isEmpty || after.utf16.count >= cutLength)
    }
}

extension EditorText {
    /// Whether this and `other` can be windows of one text with one selection.
    func agrees(with other: EditorText) -> Bool {
        let before =
            before.hasSameScalars(as: other.before)
            || isBeforeCut && other.before.hasScalarSuffix(before)
            || other.isBeforeCut && before.hasScalarSuffix(other.before)
        let after =
            after.hasSameScalars(as: other.after)
            || isAfterCut && other.after.hasScalarPrefix(after)
            || other.isAfterCut && after.hasScalarPrefix(other.after)
        return before && after && selected.hasSameScalars(as: other.selected)
    }
}
