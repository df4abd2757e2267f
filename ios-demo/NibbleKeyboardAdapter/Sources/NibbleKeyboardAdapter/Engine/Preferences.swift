import Foundation
import Nibble

/// What the user sets in the app. The app writes it into the app group, where the keyboard reads it.
public struct Preferences: Codable, Hashable, Sendable {
    /// Name of the layout.
    public var layout: String
    /// Languages that are typed, as BCP 47 tags; the first decides about spacing and capitals.
    public var languages: [String]
    /// How readily mistyped words are replaced.
    public var correction: CorrectionStrength
    /// Suggestions in the strip.
    public var slots: Int
    /// Whether words that offend are suggested.
    public var suggestsOffensiveWords: Bool
    /// File name of the model to use; `nil` for the best that the device allows.
    public var model: String?

    /// Preferences; what is not named is as in a fresh installation.
    public init(
        layout: String = "qwerty", languages: [String] = ["en"], correction: CorrectionStrength = .normal,
        slots: Int = 3, suggestsOffensiveWords: Bool = false, model: String? = nil
    ) {
        self.layout = layout
        self.languages = languages
        self.correction = correction
        self.slots = slots
        self.suggestsOffensiveWords = suggestsOffensiveWords
        self.model = model
    }

    /// What the keyboard's behaviour takes of it.
    public var keyboardSettings: KeyboardSettings {
        KeyboardSettings(language: languages.first ?? "en", slots: slots, autocorrects: correction != .off)
    }

    /// Reads what was written; those of a fresh installation where nothing was.
    ///
    /// - Throws: `DecodingError` for a file that is something else.
    public static func read(from url: URL) throws -> Preferences {
        guard let data = FileManager.default.contents(atPath: url.path) else { return Preferences() }
        return try JSONDecoder().decode(Preferences.self, from: data)
    }

    /// Writes them, whole or not at all.
    public func write(to url: URL) throws {
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try JSONEncoder().encode(self).write(to: url, options: .atomic)
    }
}
