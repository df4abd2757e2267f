/// Counts keys against the characters that they made. It holds no text.
public struct KeystrokeCount: Codable, Hashable, Sendable {
    /// Keys pressed and suggestions taken.
    public private(set) var keys = 0
    /// Characters that stand in the text.
    public private(set) var characters = 0

    /// Nothing yet.
    public init() {}

    /// The text changed by keys: each character that came or went is one.
    public mutating func typed(from old: String, to new: String) {
        let (old, new) = (Array(old), Array(new))
        let start = zip(old, new).prefix { $0 == $1 }.count
        let end = zip(old.dropFirst(start).reversed(), new.dropFirst(start).reversed()).prefix { $0 == $1 }.count
        keys += old.count + new.count - 2 * (start + end)
        characters = new.count
    }

    /// The text changed by one tap.
    public mutating func accepted(_ text: String) {
        keys += 1
        characters = text.count
    }

    /// One key made the text longer by so many characters; negative for shorter. What others had written and is deleted
    /// takes nothing away.
    public mutating func pressed(adding characters: Int) {
        keys += 1
        self.characters = max(0, self.characters + characters)
    }

    /// Adds what was counted elsewhere.
    public mutating func add(_ other: KeystrokeCount) {
        keys += other.keys
        characters += other.characters
    }

    /// Part of the keystrokes that were saved, 1 − keys / characters; `nil` for an empty text.
    public var saved: Double? {
        characters > 0 ? 1 - Double(keys) / Double(characters) : nil
    }
}
