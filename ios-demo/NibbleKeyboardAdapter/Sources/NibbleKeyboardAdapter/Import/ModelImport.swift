import Foundation
import Nibble

/// Why a model was not imported. Nothing is left of it then.
public enum ModelImportError: Error, Hashable, Sendable {
    /// It does not fit. In bytes.
    case noSpace(needed: UInt64, available: UInt64)
    /// A model of this name is there already.
    case alreadyInstalled(name: String)
    /// The name of a model file ends in `.gguf`.
    case noModelName(String)
    /// The file became shorter or longer while it was copied. In bytes.
    case changedMeanwhile(expected: UInt64, found: UInt64)
}

extension ModelImportError: LocalizedError {
    public var errorDescription: String? {
        switch self {
        case .noSpace(let needed, let available):
            "The model needs \(needed >> 20) MB, and \(available >> 20) MB are free."
        case .alreadyInstalled(let name): "\(name) is installed already."
        case .noModelName(let name): "\(name) is no model file: its name should end in .gguf."
        case .changedMeanwhile: "The file changed while it was copied."
        }
    }
}

/// Copies a model into the container of the app group, checks it before it can be used, and prepares it. One at a time
/// for a container.
public struct ModelImport: Sendable {
    /// How far an import is.
    public enum Progress: Hashable, Sendable {
        /// Copied so far, in bytes.
        case copying(done: UInt64, total: UInt64)
        /// Compared with its checksum so far, in bytes.
        case verifying(done: UInt64, total: UInt64)
        /// Prepared so far, in bytes of work.
        case preparing(done: UInt64, total: UInt64)
    }

    /// Bytes that stay free on the device.
    public static let reserve: UInt64 = 200 << 20

    private let container: SharedContainer
    private let freeSpace: @Sendable (URL) throws -> UInt64

    /// An import into `container`.
    ///
    /// - Parameter freeSpace: Bytes that are free where a folder is.
    public init(
        into container: SharedContainer,
        freeSpace: @escaping @Sendable (URL) throws -> UInt64 = ModelImport.freeSpace
    ) {
        self.container = container
        self.freeSpace = freeSpace
    }

    /// Copies `source`, looks into it, compares its SHA-256 where one is known, and puts its prepared form, which runs
    /// faster, in its place in one step; the file as it is where it is prepared already or there is no room for both.
    ///
    /// - Parameters:
    ///   - sha256: 64 hexadecimal digits; `nil` where nobody knows.
    ///   - progress: Called every few megabytes, on no particular thread.
    /// - Throws: ``ModelImportError``; `NibbleError` for a file that is no model, or not whole, or not the one it should
    ///   be; `CancellationError`; errors of the file system.
    public func run(
        _ source: URL, sha256: String? = nil, progress: @Sendable (Progress) -> Void = { _ in }
    ) async throws -> SharedContainer.InstalledModel {
        let name = source.lastPathComponent
        guard source.pathExtension == "gguf" else { throw ModelImportError.noModelName(name) }
        let files = FileManager.default
        removeUnfinished()
        try files.createDirectory(at: container.models, withIntermediateDirectories: true)
        let target = container.models.appendingPathComponent(name)
        guard !files.fileExists(atPath: target.path) else {
            throw ModelImportError.alreadyInstalled(name: name)
        }

        let partial = container.models.appendingPathComponent("\(name).partial")
        do {
            try await copy(source, to: partial, progress: progress)
            _ = try await ModelFile(partial).inspect()
            if let sha256 {
                try await ModelFile(partial).verify(sha256: sha256) { step in
                    progress(.verifying(done: step.done, total: step.total))
                }
            }
            try Task.checkCancellation()
            try await install(partial, as: target, progress: progress)
            let size = try files.attributesOfItem(atPath: target.path)[.size] as? NSNumber
            return SharedContainer.InstalledModel(url: target, bytes: size?.uint64Value ?? 0)
        } catch {
            try? files.removeItem(at: partial)
            throw error
        }
    }

    /// Removes what imports left that ended with their process. To be called while none runs.
    public func removeUnfinished() {
        let files = FileManager.default
        let found = try? files.contentsOfDirectory(at: container.models, includingPropertiesForKeys: nil)
        // The prepared form is written to a file of the second name.
        for file in found ?? [] where ["partial", "part"].contains(file.pathExtension) {
            try? files.removeItem(at: file)
        }
    }

    private func install(
        _ partial: URL, as target: URL, progress: @Sendable (Progress) -> Void
    ) async throws {
        do {
            try await ModelFile(partial).prepare(to: target) { step in
                progress(.preparing(done: step.done, total: step.total))
            }
            try FileManager.default.removeItem(at: partial)
        } catch NibbleError.unsupported, NibbleError.diskSpace {
            try FileManager.default.moveItem(at: partial, to: target)
        }
    }

    private func copy(_ source: URL, to target: URL, progress: @Sendable (Progress) -> Void) async throws {
        let input = try FileHandle(forReadingFrom: source)
        defer { try? input.close() }
        let total = try input.seekToEnd()
        try input.seek(toOffset: 0)
        let available = try freeSpace(container.models)
        guard available >= total + Self.reserve else {
            throw ModelImportError.noSpace(needed: total + Self.reserve, available: available)
        }
        _ = FileManager.default.createFile(atPath: target.path, contents: nil)
        let output = try FileHandle(forWritingTo: target)
        defer { try? output.close() }
        var done: UInt64 = 0
        while let chunk = try input.read(upToCount: 4 << 20), !chunk.isEmpty {
            try Task.checkCancellation()
            try output.write(contentsOf: chunk)
            done += UInt64(chunk.count)
            progress(.copying(done: done, total: total))
            await Task.yield()
        }
        guard done == total else { throw ModelImportError.changedMeanwhile(expected: total, found: done) }
        try output.synchronize()
    }

    /// Bytes that are free on the volume of a folder.
    public static let freeSpace: @Sendable (URL) throws -> UInt64 = { folder in
        let attributes = try FileManager.default.attributesOfFileSystem(forPath: folder.path)
        return (attributes[.systemFreeSize] as? NSNumber)?.uint64Value ?? 0
    }
}
