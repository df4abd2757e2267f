internal import NibbleBindings

/// Which letters of a field are capitals by themselves.
public enum CapitalsMode: Hashable, Sendable {
    /// None.
    case never
    /// The first of every sentence.
    case sentences
    /// The first of every word.
    case words
    /// All.
    case characters

    var generated: NibbleBindings.CapitalsMode {
        switch self {
        case .never: .never
        case .sentences: .sentences
        case .words: .words
        case .characters: .characters
        }
    }
}

/// What the enter key does in a field of one line.
public enum EditorAction: Hashable, Sendable {
    /// Whatever the platform does by default.
    case `default`
    /// Open what was typed.
    case go
    /// Search for it.
    case search
    /// Send it.
    case send
    /// Move to the next field.
    case next
    /// Move to the field before.
    case previous
    /// Close the keyboard.
    case done

    init(_ action: NibbleBindings.EditorAction) {
        switch action {
        case .default: self = .default
        case .go: self = .go
        case .search: self = .search
        case .send: self = .send
        case .next: self = .next
        case .previous: self = .previous
        case .done: self = .done
        }
    }

    var generated: NibbleBindings.EditorAction {
        switch self {
        case .default: .default
        case .go: .go
        case .search: .search
        case .send: .send
        case .next: .next
        case .previous: .previous
        case .done: .done
        }
    }
}

/// What a field's absolute positions count. They serve only to recognise the echo of an edit; everything else
/// counts Unicode scalar values.
public enum PositionUnit: Hashable, Sendable {
    /// Unicode scalar values.
    case scalar
    /// UTF-16 code units, as in UIKit and AppKit.
    case utf16

    var generated: NibbleBindings.PositionUnit {
        switch self {
        case .scalar: .scalar
        case .utf16: .utf16
        }
    }
}

/// Absolute positions of the selection, counted from the field's start in the field's unit.
public struct EditorSelection: Hashable, Sendable {
    /// Where it starts.
    public var start: Int
    /// Where it ends; the same as ``start`` for a cursor.
    public var end: Int

    /// A selection.
    public init(start: Int, end: Int) {
        self.start = start
        self.end = end
    }

    func generated() throws -> NibbleBindings.Selection {
        NibbleBindings.Selection(start: try unsigned(start, "start"), end: try unsigned(end, "end"))
    }
}

/// A window of a field's text around the selection.
public struct EditorText: Hashable, Sendable {
    /// Text before the selection.
    public var before: String
    /// The selected text; empty where there is only a cursor.
    public var selected: String
    /// Text after the selection.
    public var after: String
    /// Whether the field may have more text before the window.
    public var isBeforeCut: Bool
    /// Whether the field may have more text after the window.
    public var isAfterCut: Bool

    /// A window.
    public init(
        before: String = "", selected: String = "", after: String = "", isBeforeCut: Bool = false,
        isAfterCut: Bool = false
    ) {
        self.before = before
        self.selected = selected
        self.after = after
        self.isBeforeCut = isBeforeCut
        self.isAfterCut = isAfterCut
    }

    init(_ text: NibbleBindings.EditorText) {
        before = text.before
        selected = text.selected
        after = text.after
        isBeforeCut = text.beforeCut
        isAfterCut = text.afterCut
    }

    var generated: NibbleBindings.EditorText {
        NibbleBindings.EditorText(
            before: before, selected: selected, after: after, beforeCut: isBeforeCut, afterCut: isAfterCut)
    }
}

/// What the platform says about the text field. ``text``, ``selection`` or both are given.
public struct EditorUpdate: Hashable, Sendable {
    /// Text around the selection, where it was read.
    public var text: EditorText?
    /// Absolute positions of the selection, where the platform has them.
    public var selection: EditorSelection?
    /// Serial of the reading that this answers; `nil` for a report.
    public var answers: UInt64?

    /// An update.
    public init(text: EditorText? = nil, selection: EditorSelection? = nil, answers: UInt64? = nil) {
        self.text = text
        self.selection = selection
        self.answers = answers
    }

    func generated() throws -> NibbleBindings.EditorUpdate {
        NibbleBindings.EditorUpdate(
            text: text?.generated, selection: try selection?.generated(), answers: answers)
    }
}

/// What a text field is, and its text when it takes the focus.
public struct FieldFocus: Hashable, Sendable {
    /// Kind of the field.
    public var kind: FieldKind
    /// Capitals that the field asks for. Fields whose text is no prose get none.
    public var capitals: CapitalsMode
    /// Whether enter begins a new line instead of performing ``action``.
    public var isMultiLine: Bool
    /// What enter does in a field of one line.
    public var action: EditorAction
    /// Text and selection, read when the field took the focus.
    public var text: EditorText
    /// Absolute positions of the selection, where the platform has them.
    public var selection: EditorSelection?
    /// Unit of all positions in this field.
    public var unit: PositionUnit

    /// A field.
    public init(
        kind: FieldKind = .message, capitals: CapitalsMode = .sentences, isMultiLine: Bool = false,
        action: EditorAction = .default, text: EditorText = EditorText(), selection: EditorSelection? = nil,
        unit: PositionUnit = .utf16
    ) {
        self.kind = kind
        self.capitals = capitals
        self.isMultiLine = isMultiLine
        self.action = action
        self.text = text
        self.selection = selection
        self.unit = unit
    }

    func generated() throws -> NibbleBindings.FieldFocus {
        NibbleBindings.FieldFocus(
            kind: kind.generated, capitals: capitals.generated, multiLine: isMultiLine,
            action: action.generated, text: text.generated, selection: try selection?.generated(),
            unit: unit.generated)
    }
}
