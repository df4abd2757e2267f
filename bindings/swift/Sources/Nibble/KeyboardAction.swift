internal import NibbleBindings

/// Something that a keyboard's shell is to do. Actions are carried out in the order in which they come.
public enum KeyboardAction: Hashable, Sendable {
    /// Change the text field.
    case edit(TextEdit)
    /// Mark this text, which is what stands directly before the cursor, as the word being composed. Any edit ends the
    /// marking without changing the marked text.
    case compose(String)
    /// End the marking without changing the text.
    case finishComposing
    /// Do what the field's enter key is for.
    case performAction(EditorAction)
    /// Read the text around the selection, after all edits so far, and send it as an update that answers this
    /// serial. It is the last action of its batch.
    case readText(serial: UInt64)
    /// Draw this strip.
    case showStrip(Strip)
    /// Draw the shift key and the letters so; off before the first.
    case showShift(ShiftState)
    /// Show this page of keys; the letters before the first.
    case showLayout(LayoutPage)
    /// Draw this after the cursor, greyed; empty for nothing.
    case showGhost(String)
    /// Ask the engine for suggestions. Only the latest request matters. Does not occur in a ``TypingSession``.
    case request(EngineRequest)
    /// Tell the engine what the user did. Does not occur in a ``TypingSession``.
    case notify(EngineNotice)

    init(_ action: NibbleBindings.Action) {
        switch action {
        case .edit(let edit): self = .edit(TextEdit(edit))
        case .compose(let text): self = .compose(text)
        case .finishComposing: self = .finishComposing
        case .performAction(let action): self = .performAction(EditorAction(action))
        case .readText(let serial): self = .readText(serial: serial)
        case .showStrip(let strip): self = .showStrip(Strip(strip))
        case .showShift(let state): self = .showShift(ShiftState(state))
        case .showLayout(let page): self = .showLayout(LayoutPage(page))
        case .showGhost(let text): self = .showGhost(text)
        case .request(let request): self = .request(EngineRequest(request))
        case .notify(let notice): self = .notify(EngineNotice(notice))
        }
    }
}

/// A change of the text field. Removed text is spelled out, so that a platform can count it in its own units.
public enum TextEdit: Hashable, Sendable {
    /// Replace the selection by this text, or insert it at the cursor, and put the cursor behind it.
    case insert(String)
    /// Remove what stands directly before and directly after the cursor.
    case delete(before: String, after: String)
    /// Remove the selected text.
    case deleteSelection
    /// Do what the platform's own backspace does: what stands before the cursor is not known.
    case pressBackspace
    /// Move the cursor; a selection collapses. `by` counts Unicode scalar values from the end of the selection,
    /// negative is towards the start; `over` is the text that is passed over.
    case moveCursor(by: Int, over: String)

    init(_ edit: NibbleBindings.TextEdit) {
        switch edit {
        case .insert(let text): self = .insert(text)
        case .delete(let before, let after): self = .delete(before: before, after: after)
        case .deleteSelection: self = .deleteSelection
        case .pressBackspace: self = .pressBackspace
        case .moveCursor(let by, let over): self = .moveCursor(by: Int(by), over: over)
        }
    }
}

/// The strip of suggestions above the keys.
public struct Strip: Hashable, Sendable {
    /// One slot of the strip.
    public struct Slot: Hashable, Sendable {
        /// What is shown.
        public let text: String
        /// What it is.
        public let kind: Suggestion.Kind
    }

    /// Names this strip: a tap says which strip it was made on.
    public let serial: UInt64
    /// From left to right. The word as typed comes first when a correction is pending.
    public let slots: [Slot]
    /// The slot whose text replaces the typed word when the word ends.
    public let highlighted: Int?

    init(_ strip: NibbleBindings.Strip) {
        serial = strip.serial
        slots = strip.slots.map { Slot(text: $0.text, kind: Suggestion.Kind($0.kind)) }
        highlighted = strip.highlighted.map(Int.init)
    }
}

/// What the shift key does to the next letter.
public enum ShiftState: Hashable, Sendable {
    /// Nothing.
    case off
    /// A capital, because a sentence or the like begins.
    case automatic
    /// A capital, because the user asked for one.
    case manual
    /// Capitals until further notice.
    case locked

    init(_ state: NibbleBindings.ShiftState) {
        switch state {
        case .off: self = .off
        case .automatic: self = .automatic
        case .manual: self = .manual
        case .locked: self = .locked
        }
    }
}
