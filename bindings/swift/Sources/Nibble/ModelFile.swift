import Foundation
internal import NibbleBindings

/// A file that should be a model, before it is opened: is it whole, and what is in it?
public final class ModelFile: Sendable {
    /// What a model file holds.
    public struct Info: Hashable, Sendable {
        /// Size in bytes.
        public let bytes: UInt64
        /// Its name; empty where the file has none.
        public let name: String
        /// The licence that its weights are under, as the file gives it: an SPDX expression such as `apache-2.0`; empty
        /// where the file does not say.
        public let license: String
        /// The network that it is for, such as `llama`; empty where the file does not say.
        public let architecture: String
        /// Number of weights.
        public let parameters: UInt64
        /// Number of tensors.
        public let tensors: Int
        /// Bytes of memory that it takes; `nil` where this version does not run it.
        public let memory: MemoryEstimate?
    }

    /// How far a verification is, in bytes.
    public struct VerificationProgress: Hashable, Sendable {
        /// Hashed so far.
        public let done: UInt64
        /// Of the whole file.
        public let total: UInt64
    }

    /// How far a preparation is, in bytes of work, which are more than the file has: it is read twice.
    public struct PreparationProgress: Hashable, Sendable {
        /// Done so far.
        public let done: UInt64
        /// In all.
        public let total: UInt64
    }

    private let generated: NibbleBindings.ModelFile

    /// The file at `url`. Nothing is read yet.
    public init(_ url: URL) throws {
        generated = try translatingErrors { try NibbleBindings.ModelFile.atPath(path: url.path) }
    }

    /// `length` bytes from byte `offset` of an open file descriptor, which stays the caller's; `name` stands for
    /// the file in errors.
    public init(fileDescriptor: Int32, offset: UInt64, length: UInt64, name: String) throws {
        generated = try translatingErrors {
            try NibbleBindings.ModelFile.atDescriptor(
                descriptor: fileDescriptor, offset: offset, length: length, name: name)
        }
    }

    /// What the file holds: its header is read and checked, its weights are not.
    ///
    /// - Parameter options: What ``Info/memory`` is estimated for.
    public func inspect(options: ModelOptions = ModelOptions()) async throws -> Info {
        let options = try options.generated()
        let file = generated
        return try await BlockingWork.computing.run {
            let info = try file.inspect(options: options)
            return Info(
                bytes: info.bytes,
                name: info.name,
                license: info.license,
                architecture: info.architecture,
                parameters: info.parameters,
                tensors: Int(info.tensors),
                memory: info.memory.map(MemoryEstimate.init)
            )
        }
    }

    /// Compares the file's SHA-256 with `sha256`, 64 hexadecimal digits.
    ///
    /// - Parameter progress: Called every few megabytes, on no particular thread.
    /// - Throws: ``NibbleError/checksumMismatch(file:expected:found:_:)``; `CancellationError` soon after the task was
    ///   cancelled.
    public func verify(
        sha256: String, progress: @Sendable (VerificationProgress) -> Void = { _ in }
    ) async throws {
        let file = generated
        let verification = try await BlockingWork.computing.run { try file.verify(sha256: sha256) }
        try await pull(progress) {
            try verification.next().map { VerificationProgress(done: $0.done, total: $0.total) }
        }
    }

    /// Writes the file's prepared form, which runs faster and is about as large, and which ``Model`` finds beside the
    /// file. It appears only when it is whole and on the disk.
    ///
    /// - Parameters:
    ///   - destination: Where to; `nil` for beside the file.
    ///   - lexicons: Files of lexicons, one for each language, of which it carries copies: ``Model/lexicons`` opens them.
    ///   - progress: Called every few megabytes, on no particular thread.
    /// - Throws: ``NibbleError/diskSpace(file:needed:available:_:)``, ``NibbleError/unsupported(file:found:_:)`` for a
    ///   file that is prepared already; `CancellationError` soon after the task was cancelled, and nothing is left then.
    public func prepare(
        to destination: URL? = nil,
        lexicons: [URL] = [],
        progress: @Sendable (PreparationProgress) -> Void = { _ in }
    ) async throws {
        let file = generated
        let preparation = try await BlockingWork.computing.run {
            try file.prepare(destination: destination?.path, lexicons: lexicons.map(\.path))
        }
        do {
            try await pull(progress) {
                try preparation.next().map { PreparationProgress(done: $0.done, total: $0.total) }
            }
        } catch {
            try preparation.release()
            throw error
        }
    }

    /// Tells the steps that `next` gives, until it gives none or the task is cancelled.
    private func pull<Step: Sendable>(
        _ progress: @Sendable (Step) -> Void, next: @escaping @Sendable () throws -> Step?
    ) async throws {
        while true {
            try Task.checkCancellation()
            guard let step = try await BlockingWork.computing.run(next) else { return }
            progress(step)
        }
    }
}
