import Nibble

extension EditorText {
    /// What stood here before these edits, such that making them again gives this; `nil` where that cannot be said.
    ///
    /// A question about the field's text is answered when the field has settled, which can be after later edits. The
    /// controller makes those once more on the answer.
    func before(_ edits: [TextEdit]) -> EditorText? {
        edits.reversed().reduce(self) { text, edit in text?.before(edit) }
    }

    private func before(_ edit: TextEdit) -> EditorText? {
        var text = self
        switch edit {
        case .insert(let inserted):
            // A field may refuse what is inserted.
            guard before.hasScalarSuffix(inserted) else { return nil }
            text.before.removeLastScalars(inserted.unicodeScalars.count)
        case .delete(let before, let after):
            text.before += before
            text.after = after + text.after
        case .pressBackspace:
            // What was deleted is not known, and is deleted again: anything that is one character will do.
            text.before += "\u{FFFC}"
        case .deleteSelection:
            text.selected = "\u{FFFC}"
        case .moveCursor(let by, let over):
            guard over.unicodeScalars.count == abs(by), selected.isEmpty else { return nil }
            if by < 0 {
                guard after.hasScalarPrefix(over) else { return nil }
                text.after = String(after.unicodeScalars.dropFirst(-by))
                text.before += over
            } else {
                guard before.hasScalarSuffix(over) else { return nil }
                text.before.removeLastScalars(by)
                text.after = over + after
            }
        }
        return text
    }
}

extension String {
    fileprivate mutating func removeLastScalars(_ count: Int) {
        unicodeScalars.removeLast(count)
    }
}

extension [TextEdit] {
    /// Adds an edit. A backspace behind an insertion shortens it, so that what was deleted is known.
    mutating func appendMerging(_ edit: TextEdit) {
        if edit == .pressBackspace, case .insert(let text)? = last, !text.isEmpty {
            removeLast()
            if text.count > 1 { append(.insert(String(text.dropLast()))) }
        } else {
            append(edit)
        }
    }
}
