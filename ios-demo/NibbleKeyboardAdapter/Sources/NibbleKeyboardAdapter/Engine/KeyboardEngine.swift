import Foundation
import Nibble

/// Makes the engine of a keyboard, without a model, which a ``MemoryGovernor`` brings.
public enum KeyboardEngine {
    /// An engine.
    ///
    /// - Parameters:
    ///   - preferences: What the user set.
    ///   - lexicons: Folder of `LANGUAGE.lex` and `LANGUAGE.emoji.tsv`. Languages without files are left out.
    ///   - user: Where what the user types is learned; `nil` to learn nothing.
    public static func make(
        preferences: Preferences, lexicons folder: URL, user: UserModel?
    ) throws -> TypingEngine {
        var options = TypingEngine.Options()
        options.slots = preferences.slots
        options.layout = try KeyboardLayout(named: preferences.layout)
        options.thresholds = preferences.correction.thresholds
        options.suggestsOffensiveWords = preferences.suggestsOffensiveWords
        let found = preferences.languages.filter { language in
            FileManager.default.fileExists(atPath: folder.appendingPathComponent("\(language).lex").path)
        }
        if let first = found.first {
            let emoji = folder.appendingPathComponent("\(first).emoji.tsv")
            if FileManager.default.fileExists(atPath: emoji.path) {
                options.emoji = try EmojiTable(contentsOf: emoji)
            }
        }
        return try TypingEngine(
            lexicons: try found.map { try Lexicon(contentsOf: folder.appendingPathComponent("\($0).lex")) },
            user: user, options: options)
    }

    /// What the user has typed, in a file of the keyboard's own container; `nil` where another process of the keyboard
    /// writes to it.
    public static func learnedWords(at url: URL) throws -> UserModel? {
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        do {
            return try UserModel(contentsOf: url)
        } catch NibbleError.inUse {
            return nil
        }
    }
}
