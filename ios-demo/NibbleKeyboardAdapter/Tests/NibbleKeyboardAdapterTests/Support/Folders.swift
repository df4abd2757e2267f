import Foundation

extension Places {
    /// An empty folder, which is gone when `work` is done.
    static func withFolder<Result>(_ work: (URL) async throws -> Result) async throws -> Result {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        return try await work(folder.url)
    }
}
