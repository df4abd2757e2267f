import Foundation
internal import NibbleBindings

/// The words of one language, with frequencies and usual spelling.
public final class Lexicon: Sendable {
    let generated: NibbleBindings.Lexicon

    init(_ generated: NibbleBindings.Lexicon) {
        self.generated = generated
    }

    /// Maps the lexicon at `url`. The file must not be changed in place while it is open; replace it by moving
    /// another over it.
    public init(contentsOf url: URL) throws {
        generated = try translatingErrors { try NibbleBindings.Lexicon.open(path: url.path) }
    }

    /// The lexicon whose file has these bytes.
    public init(data: Data) throws {
        generated = try translatingErrors { try NibbleBindings.Lexicon.fromBytes(bytes: data) }
    }

    /// The language as a BCP 47 tag, such as `en`.
    public var language: String {
        get throws { try translatingErrors { try generated.language() } }
    }

    /// Number of words.
    public var wordCount: Int {
        get throws { Int(try translatingErrors { try generated.wordCount() }) }
    }

    /// The usual spelling of `word`: `i'm` gives `I'm`; `nil` where the word is unknown.
    public func spelling(of word: String) throws -> String? {
        try translatingErrors { try generated.spellingOf(word: word) }
    }

    /// Natural logarithm of the share of `word` among all words of running text; `nil` where it is unknown.
    public func logFrequency(of word: String) throws -> Float? {
        try translatingErrors { try generated.logFrequency(word: word) }
    }

    /// Whether `word` is known to offend. It may be typed, and is not to be suggested.
    public func isOffensive(_ word: String) throws -> Bool {
        try translatingErrors { try generated.isOffensive(word: word) }
    }

    /// Gives the lexicon up now instead of with the last reference. Engines that were made with it keep it; everything
    /// else throws ``NibbleError/closed(_:)`` from now on.
    public func close() {
        // Giving up cannot fail, and there would be nothing to do about it.
        try? generated.release()
    }
}
