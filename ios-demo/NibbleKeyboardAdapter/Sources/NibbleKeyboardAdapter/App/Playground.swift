import Foundation
import Nibble

/// The app's screen on which one types and sees what the engine does. It learns nothing.
@MainActor
public final class Playground {
    /// What was typed.
    public private(set) var text = ""
    /// What is suggested, best first.
    public private(set) var suggestions: [Suggestion] = []
    /// Keys and characters.
    public private(set) var count = KeystrokeCount()
    /// Called when something of it changed.
    public var onChange: () -> Void = {}
    /// The engine.
    public let engine: TypingEngine
    private var epoch: UInt64 = 0

    /// A screen on an engine.
    public init(engine: TypingEngine) {
        self.engine = engine
    }

    /// The text was changed by keys. Returns once the model has been heard, or the text is another.
    public func type(_ new: String) async throws {
        guard new != text else { return }
        count.typed(from: text, to: new)
        text = new
        try await suggest()
    }

    /// A suggestion was tapped: it replaces what it completes, and a space follows.
    public func accept(_ suggestion: Suggestion) async throws {
        guard suggestions.contains(suggestion) else { return }
        text = String(text.unicodeScalars.dropLast(suggestion.replace)) + suggestion.text + " "
        count.accepted(text)
        try await suggest()
    }

    /// Begins anew.
    public func clear() {
        text = ""
        suggestions = []
        count = KeystrokeCount()
        epoch += 1
        onChange()
    }

    private func suggest() async throws {
        epoch += 1
        let context = EditorContext(before: text, epoch: epoch)
        suggestions = try engine.suggest(context).items
        onChange()
        let fresh = try await engine.freshSuggestions(for: context)
        guard fresh.epoch == epoch else { return }
        suggestions = fresh.items
        onChange()
    }
}
