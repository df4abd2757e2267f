import Foundation
internal import NibbleBindings

/// A model, mapped from its file and immutable. Any number of sessions and typing engines share it.
public final class Model: Sendable {
    /// What a model says about itself.
    public struct Info: Hashable, Sendable {
        /// The file.
        public let file: String
        /// Size of the file in bytes.
        public let bytes: UInt64
        /// Its name; empty where the file has none.
        public let name: String
        /// The network, such as `llama`.
        public let architecture: String
        /// Number of weights.
        public let parameters: UInt64
        /// Number of tokens of the vocabulary.
        public let vocabulary: Int
        /// Positions that the model may see.
        public let contextLength: Int
        /// Transformer layers.
        public let layers: Int
    }

    let generated: NibbleBindings.Model

    /// Maps the GGUF file at `url` and checks all that it says, on a thread of the package's own. Nothing is
    /// copied. The file must not be changed while the model is open; replace it by moving another over it.
    ///
    /// - Throws: ``NibbleError``: `notFound`, `io`, `wrongFormat`, `truncated`, `damaged`, `unsupported` and
    ///   `memoryLimit` speak of the file.
    public init(contentsOf url: URL, options: ModelOptions = ModelOptions()) async throws {
        let options = try options.generated()
        let path = url.path
        generated = try await BlockingWork.computing.run {
            try NibbleBindings.Model.open(path: path, options: options)
        }
    }

    /// Maps `length` bytes from byte `offset` of an open file descriptor: a model inside another file. The
    /// descriptor stays the caller's and may be closed afterwards; `name` stands for the file in errors.
    public init(
        fileDescriptor: Int32, offset: UInt64, length: UInt64, name: String,
        options: ModelOptions = ModelOptions()
    ) async throws {
        let options = try options.generated()
        generated = try await BlockingWork.computing.run {
            try NibbleBindings.Model.openDescriptor(
                descriptor: fileDescriptor, offset: offset, length: length, name: name, options: options)
        }
    }

    /// What the model says about itself.
    public var info: Info {
        get throws {
            let info = try translatingErrors { try generated.info() }
            return Info(
                file: info.file,
                bytes: info.bytes,
                name: info.name,
                architecture: info.architecture,
                parameters: info.parameters,
                vocabulary: Int(info.vocabulary),
                contextLength: Int(info.contextLength),
                layers: Int(info.layers)
            )
        }
    }

    /// The lexicons that its prepared file carries, sorted by language and mapped with it; none where it carries none.
    public var lexicons: [Lexicon] {
        get throws { try translatingErrors { try generated.lexicons().map { Lexicon($0) } } }
    }

    /// What runs the network now.
    public var backend: Backend.Status {
        get throws {
            let status = try translatingErrors { try generated.backend() }
            return Backend.Status(name: status.name, fallback: status.fallback)
        }
    }

    /// Bytes of memory that the model with one session of these options takes.
    public func memoryEstimate(for options: SessionOptions = SessionOptions()) throws -> MemoryEstimate {
        try translatingErrors {
            MemoryEstimate(try generated.memoryEstimate(options: try options.generated()))
        }
    }

    /// An empty session.
    public func makeSession(options: SessionOptions = SessionOptions()) throws -> Session {
        try translatingErrors {
            Session(try generated.newSession(options: try options.generated()))
        }
    }

    /// The tokens of a text.
    ///
    /// - Parameter parsingSpecialTokens: Whether the names of special tokens, such as `<|im_end|>`, are read as
    ///   those tokens. Leave it off for what users typed.
    public func encode(_ text: String, parsingSpecialTokens: Bool = false) throws -> [UInt32] {
        try translatingErrors {
            try generated.encode(text: text, parseSpecialTokens: parsingSpecialTokens)
        }
    }

    /// The text of tokens.
    public func decode(_ tokens: [UInt32]) throws -> String {
        try translatingErrors { try generated.decode(tokens: tokens) }
    }

    /// Gives the model up now instead of with the last reference. Sessions and engines that were made with it
    /// keep it until they are closed; everything else throws ``NibbleError/closed(_:)`` from now on.
    public func close() {
        // Giving up cannot fail, and there would be nothing to do about it.
        try? generated.release()
    }
}
