import Foundation

extension Places {
    /// What the app brings along, as scripts/test-ios-demo has it prepared.
    static let app = builtByCargo.deletingLastPathComponent().appendingPathComponent("swift/app")

    /// An empty folder, which is gone when `work` is done.
    static func withFolder<Result>(_ work: (URL) async throws -> Result) async throws -> Result {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        return try await work(folder.url)
    }
}
