import Foundation
internal import NibbleBindings

/// What this user types: theirs to see, take along and remove.
///
/// Once a ``TypingEngine`` was made with it, the engine learns into it, and this object goes on showing and
/// changing it; it ends with the engine.
public final class UserModel: Sendable {
    /// How much a user model keeps.
    public struct Bounds: Hashable, Sendable {
        /// Words, at most.
        public var maxWords: Int
        /// Pairs of words, at most.
        public var maxPairs: Int
        /// Size of the file in bytes: it is compacted once it has grown beyond.
        public var maxBytes: UInt64

        /// Bounds; what is not named is as usual.
        public init(maxWords: Int = 10_000, maxPairs: Int = 30_000, maxBytes: UInt64 = 4 << 20) {
            self.maxWords = maxWords
            self.maxPairs = maxPairs
            self.maxBytes = maxBytes
        }

        func generated() throws -> UserModelBounds {
            UserModelBounds(
                maxWords: try unsigned(maxWords, "max_words"),
                maxPairs: try unsigned(maxPairs, "max_pairs"),
                maxBytes: maxBytes
            )
        }
    }

    /// A word that the user has typed.
    public struct Word: Hashable, Sendable {
        /// As the user spells it.
        public let text: String
        /// How often it was typed.
        public let uses: Int
        /// When it was last typed.
        public let lastUsed: Date
        /// Whether a correction of it was undone.
        public let isReverted: Bool
    }

    let generated: NibbleBindings.UserModel

    private init(_ make: () throws -> NibbleBindings.UserModel) throws {
        generated = try translatingErrors(make)
    }

    /// Opens or creates the model at `url`. One object at a time may write to a file: others get
    /// ``NibbleError/inUse(file:_:)``.
    public convenience init(contentsOf url: URL, bounds: Bounds = Bounds()) throws {
        try self.init {
            try NibbleBindings.UserModel.open(path: url.path, limits: try bounds.generated())
        }
    }

    /// Reads the model at `url`, which may be in use by a writer. Whatever would change it throws
    /// ``NibbleError/readOnly(_:)``.
    public convenience init(readingFrom url: URL) throws {
        try self.init { try NibbleBindings.UserModel.openReadOnly(path: url.path) }
    }

    /// A model that is never stored.
    public convenience init(inMemory bounds: Bounds = Bounds()) throws {
        try self.init { try NibbleBindings.UserModel.inMemory(limits: try bounds.generated()) }
    }

    /// The words that contain `part` (all for an empty one), in alphabetical order.
    public func words(containing part: String = "") throws -> [Word] {
        try translatingErrors { try generated.words(part: part) }.map { word in
            Word(
                text: word.word,
                uses: Int(word.uses),
                lastUsed: Date(timeIntervalSince1970: TimeInterval(word.lastUsed)),
                isReverted: word.reverted
            )
        }
    }

    /// Number of words.
    public var wordCount: Int {
        get throws { Int(try translatingErrors { try generated.wordCount() }) }
    }

    /// Forgets a word, in the file as well. Says whether it was there.
    @discardableResult
    public func remove(_ word: String) throws -> Bool {
        try translatingErrors { try generated.remove(word: word) }
    }

    /// Forgets everything, in the file as well.
    public func erase() throws {
        try translatingErrors { try generated.erase() }
    }

    /// Everything as text, for ``importText(_:)`` and for people.
    public func exportText() throws -> String {
        try translatingErrors { try generated.exportText() }
    }

    /// Adds what an export says to what is known. Gives the number of facts; nothing is imported where it fails.
    @discardableResult
    public func importText(_ text: String) throws -> Int {
        Int(try translatingErrors { try generated.importText(text: text) })
    }

    /// Forces what was learned to the disk, against a power failure.
    public func synchronize() throws {
        try translatingErrors { try generated.sync() }
    }

    /// Gives the model and its file up, unless an engine has it: then the engine keeps it.
    public func close() {
        // Giving up cannot fail, and there would be nothing to do about it.
        try? generated.release()
    }
}
