import Foundation

/// Where the tests find what they need.
enum Places {
    /// The repository.
    static let repository = (0..<6).reduce(URL(fileURLWithPath: #filePath)) { url, _ in url.deletingLastPathComponent() }

    static let scenarios = repository.appendingPathComponent("rust/nibble-keyboard/scenarios")

    /// A network of two layers and random weights.
    static let phi3Tiny = repository.appendingPathComponent(
        "rust/nibble-testkit/fixtures/phi3-tiny/model-q4_0.gguf")

    /// The model that scripts/fetch-model installs.
    static let smolLM2 = data.appendingPathComponent("models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf")

    /// The folder of scripts/fetch-lexicons.
    static let lexicons = data.appendingPathComponent("lexicons")

    private static let data: URL = {
        let environment = ProcessInfo.processInfo.environment
        let home = environment["XDG_DATA_HOME"] ?? (environment["HOME"] ?? "") + "/.local/share"
        return URL(fileURLWithPath: home).appendingPathComponent("nibble")
    }()

    /// An empty folder, which is gone when `work` is done.
    static func withFolder<Result>(_ work: (URL) async throws -> Result) async throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try await work(folder)
    }
}
