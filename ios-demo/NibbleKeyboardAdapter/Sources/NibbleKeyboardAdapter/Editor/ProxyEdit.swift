import Nibble

/// What a `UITextDocumentProxy` can do to a field.
enum ProxyEdit: Hashable {
    /// Replace the selection.
    case insert(String)
    /// Delete the selection, or one grapheme cluster.
    case deleteBackward
    /// Move the cursor by so many UTF-16 code units.
    case move(Int)

    /// The calls that make `edit`, in a field with `text`, which becomes what it will be then.
    static func edits(for edit: TextEdit, in text: inout EditorText) -> [ProxyEdit] {
        switch edit {
        case .insert(let inserted):
            let replaces = !text.selected.isEmpty
            text.selected = ""
            text.before += inserted
            guard inserted.isEmpty else { return [.insert(inserted)] }
            return replaces ? [.deleteBackward] : []
        case .deleteSelection:
            text.selected = ""
            return [.deleteBackward]
        case .pressBackspace:
            if text.selected.isEmpty { text.before = String(text.before.dropLast()) }
            text.selected = ""
            return [.deleteBackward]
        case .moveCursor(let by, let over):
            let units = over.utf16.count
            move(&text, by: by)
            // What is passed over may be unknown; then the number is all there is.
            return [.move(by < 0 ? -max(units, -by) : max(units, by))]
        case .delete(let before, let after):
            return delete(before: before, after: after, in: &text)
        }
    }

    /// Deletes whole clusters, since nothing else can be deleted, and inserts again what was deleted too much.
    private static func delete(before: String, after: String, in text: inout EditorText) -> [ProxyEdit] {
        // What is known may end within what is to be deleted.
        let known = text.before.hasScalarSuffix(before) ? text.before : before
        let kept = String(known.unicodeScalars.dropLast(before.unicodeScalars.count))
        let deletedAfter = String(text.after.unicodeScalars.prefix(after.unicodeScalars.count))
        text.before = kept
        text.after = String(text.after.unicodeScalars.dropFirst(after.unicodeScalars.count))

        var edits: [ProxyEdit] = []
        if !after.isEmpty { edits.append(.move(after.utf16.count)) }
        var rest = known + (deletedAfter.isEmpty ? after : deletedAfter)
        let length = kept.unicodeScalars.count
        while rest.unicodeScalars.count > length {
            rest.removeLast()
            edits.append(.deleteBackward)
        }
        let lost = String(kept.unicodeScalars.dropFirst(rest.unicodeScalars.count))
        if !lost.isEmpty { edits.append(.insert(lost)) }
        return edits
    }

    private static func move(_ text: inout EditorText, by: Int) {
        text.before += text.selected
        text.selected = ""
        if by < 0 {
            let passed = String(text.before.unicodeScalars.suffix(-by))
            text.before = String(text.before.unicodeScalars.dropLast(-by))
            text.after = passed + text.after
        } else {
            text.before += String(text.after.unicodeScalars.prefix(by))
            text.after = String(text.after.unicodeScalars.dropFirst(by))
        }
    }
}

extension TextDocumentProxy {
    func carryOut(_ edit: ProxyEdit) {
        switch edit {
        case .insert(let text): insertText(text)
        case .deleteBackward: deleteBackward()
        case .move(let offset): adjustTextPosition(byCharacterOffset: offset)
        }
    }
}
