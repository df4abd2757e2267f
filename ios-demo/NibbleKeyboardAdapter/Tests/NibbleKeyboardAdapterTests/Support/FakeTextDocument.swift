import Foundation
import Nibble
import NibbleKeyboardAdapter

/// A text field in memory that a keyboard sees as it sees those of other apps: a window of 200 characters, edits that
/// show late, deleting by grapheme clusters, moving by UTF-16 code units. Positions count Unicode scalar values.
@MainActor
final class FakeTextDocument: TextDocumentProxy {
    /// The text and the selection.
    struct State {
        var scalars: [Unicode.Scalar]
        var start: Int
        var end: Int

        init(_ text: String = "") {
            scalars = Array(text.unicodeScalars)
            start = scalars.count
            end = scalars.count
        }

        var before: String { String(scalars[..<start]) }
        var selected: String { String(scalars[start..<end]) }
        var after: String { String(scalars[end...]) }

        mutating func insert(_ text: String) {
            scalars.replaceSubrange(start..<end, with: text.unicodeScalars)
            start += text.unicodeScalars.count
            end = start
        }
    }

    /// What really is in the field.
    private(set) var state: State
    /// What the keyboard sees.
    var shown: State
    /// What it will see, one after the other.
    private(set) var reports: [State] = []
    /// Characters that are shown on either side.
    var windowLength = 200
    /// Whether reports that were not delivered make way for the next.
    var coalesces = false
    /// Whether each call is reported, and not several as one.
    var reportsEachCall = false
    /// Refuses insertions that would make the text longer.
    var limit: Int?
    /// Whether the return key ends the input instead of beginning a line.
    var hasOneLine = false
    /// How often the return key ended the input.
    private(set) var returns = 0
    /// How often the keyboard looked at the text.
    private(set) var looks = 0
    private var isEdited = false

    var documentIdentifier = UUID()
    var traits: TextInputTraits

    init(_ text: String = "", traits: TextInputTraits = TextInputTraits()) {
        state = State(text)
        shown = state
        self.traits = traits
    }

    // MARK: What a keyboard sees and does

    var documentContextBeforeInput: String? {
        looks += 1
        let text = String(shown.before.suffix(windowLength))
        return text.isEmpty ? nil : text
    }

    var documentContextAfterInput: String? {
        looks += 1
        let text = String(shown.after.prefix(windowLength))
        return text.isEmpty ? nil : text
    }

    var selectedText: String? { shown.start == shown.end ? nil : shown.selected }
    var hasText: Bool { !shown.scalars.isEmpty }

    func insertText(_ text: String) {
        if text == "\n" && hasOneLine {
            returns += 1
            return
        }
        let length = state.scalars.count - (state.end - state.start) + text.unicodeScalars.count
        if let limit, length > limit { return edited() }
        state.insert(text)
        edited()
    }

    func deleteBackward() {
        if state.start == state.end { state.start -= state.before.last?.unicodeScalars.count ?? 0 }
        state.insert("")
        edited()
    }

    func adjustTextPosition(byCharacterOffset offset: Int) {
        let units = Array(String(state.scalars[...]).utf16)
        let end = String(state.scalars[..<state.end]).utf16.count
        let target = min(max(0, end + offset), units.count)
        // Half a surrogate pair is no place for a cursor.
        state.start = String(decoding: units[..<target], as: UTF16.self).unicodeScalars.count
        state.end = state.start
        edited()
    }

    private func edited() {
        isEdited = true
        if reportsEachCall { endBatch() }
    }

    // MARK: What others do

    /// All edits since the last time are one change.
    func endBatch() {
        if isEdited { report() }
        isEdited = false
    }

    func change(_ work: (inout State) -> Void) {
        work(&state)
        state.start = min(state.start, state.scalars.count)
        state.end = min(max(state.start, state.end), state.scalars.count)
        report()
    }

    private func report() {
        if coalesces { reports.removeAll() }
        reports.append(state)
    }

    /// Shows the next change; says whether there was one.
    func showNext() -> Bool {
        guard !reports.isEmpty else { return false }
        shown = reports.removeFirst()
        return true
    }

    /// Shows everything.
    func settle() {
        endBatch()
        reports.removeAll()
        shown = state
    }
}

extension String {
    init(_ scalars: ArraySlice<Unicode.Scalar>) {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: scalars)
        self.init(text)
    }
}
