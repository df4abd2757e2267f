import Foundation
internal import NibbleBindings

/// Words and the emoji that they bring to mind.
public final class EmojiTable: Sendable {
    let generated: NibbleBindings.EmojiTable

    /// Reads a table from a file: one word a line, then its emoji, best first, with tabs between.
    public init(contentsOf url: URL) throws {
        generated = try translatingErrors { try NibbleBindings.EmojiTable.open(path: url.path) }
    }

    /// Reads a table from its text.
    public init(text: String) throws {
        generated = try translatingErrors { try NibbleBindings.EmojiTable.fromText(text: text) }
    }

    /// The emoji of `word`, best first.
    public func emoji(of word: String) throws -> [String] {
        try translatingErrors { try generated.of(word: word) }
    }

    /// Gives the table up now instead of with the last reference. Engines that were made with it keep it; everything
    /// else throws ``NibbleError/closed(_:)`` from now on.
    public func close() {
        // Giving up cannot fail, and there would be nothing to do about it.
        try? generated.release()
    }
}
