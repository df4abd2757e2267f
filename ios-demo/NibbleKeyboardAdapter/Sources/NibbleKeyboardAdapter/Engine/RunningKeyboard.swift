import Foundation
import Nibble

/// All of a keyboard but its picture, from the first appearance to the end of the process. When it appears it reads what
/// the user has set in the app, and is made anew where that is something else.
@MainActor
public final class RunningKeyboard {
    /// Where a keyboard finds and keeps its files.
    public struct Files: Sendable {
        /// What the app writes and the keyboard reads; `nil` without an app group.
        public var shared: SharedContainer?
        /// A folder that only the keyboard sees.
        public var own: URL
        /// Folder of `LANGUAGE.lex` and `LANGUAGE.emoji.tsv`.
        public var lexicons: URL

        /// These places.
        public init(shared: SharedContainer?, own: URL, lexicons: URL) {
            self.shared = shared
            self.own = own
            self.lexicons = lexicons
        }

        var learnedWords: URL { own.appendingPathComponent("learned-words") }
        var count: URL { own.appendingPathComponent("keystrokes.json") }

        func trial(of model: String?) -> URL {
            own.appendingPathComponent("on-trial-\(model ?? "largest")")
        }
    }

    /// The keys.
    public private(set) var layout: KeyboardLayout
    /// What the keyboard does.
    public private(set) var model: KeyboardModel
    /// When the language model is there.
    public private(set) var governor: MemoryGovernor
    /// What is learned; `nil` where it cannot be had.
    public private(set) var learnedWords: UserModel?
    /// What the user has set, as far as the keyboard knows.
    public private(set) var preferences: Preferences
    /// Called when something is to be drawn anew.
    public var onChange: () -> Void = {}

    private let files: Files
    private let deviceMemory: UInt64
    private let onError: (any Error) -> Void
    /// Keys and characters of earlier keyboards, this process's and those before.
    private var earlier: KeystrokeCount

    /// A keyboard as the user has set it, or as in a fresh installation where that cannot be.
    ///
    /// - Parameters:
    ///   - deviceMemory: Bytes of memory that the device has.
    ///   - onError: Is told what went wrong; the keyboard works on.
    public init(_ files: Files, deviceMemory: UInt64, onError: @escaping (any Error) -> Void) throws {
        self.files = files
        self.deviceMemory = deviceMemory
        self.onError = onError
        earlier = Self.attempt(onError) { try Self.readCount(files.count) } ?? KeystrokeCount()
        preferences = Self.attempt(onError) { try Self.readPreferences(files) } ?? Preferences()
        let parts: Parts
        do {
            parts = try Parts(preferences, files, deviceMemory: deviceMemory, onError: onError)
        } catch {
            onError(error)
            preferences = Preferences()
            parts = try Parts(preferences, files, deviceMemory: deviceMemory, onError: onError)
        }
        (layout, model, governor, learnedWords) = (parts.layout, parts.model, parts.governor, parts.learnedWords)
        follow()
    }

    /// Keys and characters of all fields but passwords, since the installation.
    public var count: KeystrokeCount {
        var count = earlier
        count.add(model.count)
        return count
    }

    /// The keyboard appeared at a field.
    public func appear(_ proxy: any TextDocumentProxy, at time: Duration) {
        Self.attempt(onError) { try refresh() }
        governor.appear(at: time)
        model.appear(proxy, at: time)
    }

    /// The keyboard disappeared.
    public func disappear(at time: Duration) {
        model.disappear(at: time)
        governor.disappear()
        Self.attempt(onError) { try JSONEncoder().encode(count).write(to: files.count, options: .atomic) }
    }

    // MARK: Making it

    /// What depends on the preferences.
    private struct Parts {
        let layout: KeyboardLayout
        let model: KeyboardModel
        let governor: MemoryGovernor
        let learnedWords: UserModel?

        @MainActor
        init(
            _ preferences: Preferences, _ files: Files, deviceMemory: UInt64, onError: @escaping (any Error) -> Void
        ) throws {
            layout = try KeyboardLayout(named: preferences.layout)
            learnedWords = RunningKeyboard.attempt(onError) {
                try KeyboardEngine.learnedWords(at: files.learnedWords)
            }.flatMap { $0 }
            let engine = try KeyboardEngine.make(
                preferences: preferences, lexicons: files.lexicons, user: learnedWords)
            model = try KeyboardModel(engine: engine, settings: preferences.keyboardSettings)
            let (shared, name) = (files.shared, preferences.model)
            governor = MemoryGovernor(
                engine: engine, budget: MemoryGovernor.Budget(processLimit: ProcessMemory.limit()),
                trial: files.trial(of: name)
            ) {
                guard let file = try shared?.model(named: name, deviceMemory: deviceMemory) else { return nil }
                return try await Model(contentsOf: file.url, options: ModelOptions(threads: 2, kvFormat: .q8))
            }
        }
    }

    private func refresh() throws {
        let wanted = try Self.readPreferences(files)
        // Whoever had the words, such as an earlier keyboard of this process, may be gone by now.
        guard wanted != preferences || learnedWords == nil else { return }
        // Only one object at a time may write to the learned words.
        governor.disappear()
        earlier = count
        model.close()
        model.engine.close()
        learnedWords?.close()
        do {
            use(try Parts(wanted, files, deviceMemory: deviceMemory, onError: onError))
            preferences = wanted
        } catch {
            use(try Parts(preferences, files, deviceMemory: deviceMemory, onError: onError))
            throw error
        }
    }

    private func use(_ parts: Parts) {
        (layout, model, governor, learnedWords) = (parts.layout, parts.model, parts.governor, parts.learnedWords)
        follow()
    }

    private func follow() {
        model.onChange = { [weak self] in self?.onChange() }
        model.onError = onError
        governor.onError = onError
    }

    private static func readPreferences(_ files: Files) throws -> Preferences {
        try files.shared.map { try Preferences.read(from: $0.preferences) } ?? Preferences()
    }

    private static func readCount(_ file: URL) throws -> KeystrokeCount {
        guard let data = FileManager.default.contents(atPath: file.path) else { return KeystrokeCount() }
        return try JSONDecoder().decode(KeystrokeCount.self, from: data)
    }

    @discardableResult
    private static func attempt<Result>(_ onError: (any Error) -> Void, _ work: () throws -> Result) -> Result? {
        do {
            return try work()
        } catch {
            onError(error)
            return nil
        }
    }
}
