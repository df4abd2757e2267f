import Foundation

/// Where the tests find what they need.
enum Places {
    /// The repository.
    static let repository = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static let scenarios = repository.appendingPathComponent("rust/nibble-keyboard/scenarios")

    /// A network of two layers and random weights, shaped like Phi-4-mini.
    static let phi3Tiny = repository.appendingPathComponent(
        "rust/nibble-testkit/fixtures/phi3-tiny/model-q4_0.gguf")

    /// The model that scripts/fetch-model installs.
    static let smolLM2 = data.appendingPathComponent(
        "models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf")

    /// The folder of what scripts/build-lexicons installs.
    static let lexicons = data.appendingPathComponent("lexicons")
    static let englishLexicon = lexicons.appendingPathComponent("en.lex")
    static let englishEmoji = lexicons.appendingPathComponent("en.emoji.tsv")

    private static let data: URL = {
        let environment = ProcessInfo.processInfo.environment
        let home = environment["XDG_DATA_HOME"] ?? (environment["HOME"] ?? "") + "/.local/share"
        return URL(fileURLWithPath: home).appendingPathComponent("nibble")
    }()

    /// The folder in which Cargo leaves what it builds with the profile of the library under test.
    static let builtByCargo: URL = {
        let environment = ProcessInfo.processInfo.environment
        let target = environment["CARGO_TARGET_DIR"] ?? repository.appendingPathComponent("target").path
        return URL(fileURLWithPath: target).appendingPathComponent("debug")
    }()
}
