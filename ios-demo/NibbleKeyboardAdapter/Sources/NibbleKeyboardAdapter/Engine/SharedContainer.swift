import Foundation
import Nibble

/// What app and keyboard share: a folder that the app writes and the keyboard, without Full Access, only reads.
public struct SharedContainer: Hashable, Sendable {
    /// The app group of the demo, as both entitlements name it.
    public static let appGroup = "group.dev.nibble.keyboard"

    /// The folder.
    public let folder: URL

    /// The container in `folder`.
    public init(folder: URL) {
        self.folder = folder
    }

    #if canImport(Darwin)
        /// That of the app group; `nil` where the app was signed without it.
        public static var ofAppGroup: SharedContainer? {
            FileManager.default.containerURL(forSecurityApplicationGroupIdentifier: appGroup)
                .map(SharedContainer.init)
        }
    #endif

    /// Where ``Preferences`` are.
    public var preferences: URL { folder.appendingPathComponent("preferences.json") }
    /// Where models are.
    public var models: URL { folder.appendingPathComponent("Models", isDirectory: true) }

    /// A model file that is whole.
    public struct InstalledModel: Hashable, Sendable {
        /// Where it is.
        public let url: URL
        /// Its size.
        public let bytes: UInt64

        /// The licence that it is under, as its file gives it; `nil` where the file gives none.
        public func license() async throws -> String? {
            let license = try await ModelFile(url).inspect().license
            return license.isEmpty ? nil : license
        }
    }

    /// The models that were imported, the smallest first.
    public func installedModels() throws -> [InstalledModel] {
        guard FileManager.default.fileExists(atPath: models.path) else { return [] }
        let files = try FileManager.default.contentsOfDirectory(
            at: models, includingPropertiesForKeys: [.fileSizeKey])
        return try files.filter { $0.pathExtension == "gguf" }.map { url in
            InstalledModel(url: url, bytes: UInt64(try url.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0))
        }.sorted { ($0.bytes, $0.url.path) < ($1.bytes, $1.url.path) }
    }

    /// The model that a keyboard opens: the one that is asked for, or else the largest, among those that the device
    /// allows.
    ///
    /// - Parameter deviceMemory: Bytes of memory that the device has.
    public func model(named name: String?, deviceMemory: UInt64) throws -> InstalledModel? {
        let allowed = try installedModels().filter { Self.allows($0.bytes, deviceMemory: deviceMemory) }
        return allowed.first { $0.url.lastPathComponent == name } ?? allowed.last
    }

    /// Whether a keyboard on a device of so much memory may map a model of so many bytes. Mapping more than half a
    /// gigabyte in an extension is left to devices sold with 8 GB, of which the system reports somewhat less.
    public static func allows(_ bytes: UInt64, deviceMemory: UInt64) -> Bool {
        bytes <= 512 << 20 || deviceMemory >= 7 << 30
    }

    /// Removes a model. A keyboard that has it mapped keeps it until it disappears.
    public func remove(_ model: InstalledModel) throws {
        try FileManager.default.removeItem(at: model.url)
    }
}
