import Dispatch
internal import NibbleBindings

/// One text in progress over a shared model, with its KV cache.
///
/// A text that begins like the one before costs only what is new. A session runs one step at a time: what asks about it
/// or changes it meanwhile throws ``NibbleError/busy(_:)`` and does not wait.
public final class Session: Sendable {
    private let generated: NibbleBindings.Session
    /// Runs one generation after the other.
    private let queue = DispatchQueue(label: "dev.nibble.session", qos: .userInitiated)

    init(_ generated: NibbleBindings.Session) {
        self.generated = generated
    }

    /// Continues `prompt`, after the token for the beginning where the model's file asks for one.
    ///
    /// The text is generated on a thread of the session's own, at the pace of the model and not at that of whoever reads;
    /// what was begun before on this session ends first. Cancelling the task that reads stops the work within a fraction
    /// of a step, while the prompt is read too, and ends the loop, as it ends those over all streams: then the last chunk
    /// has no stop reason. Leaving the loop stops it as well. The session can be used again.
    ///
    /// - Returns: The text as it is generated; it throws ``NibbleError``.
    public func generate(
        _ prompt: String, options: GenerationOptions = GenerationOptions()
    ) -> AsyncThrowingStream<Chunk, any Error> {
        let session = generated
        return stream(on: queue) {
            try session.generate(prompt: prompt, options: try options.generated())
        }
    }

    /// A generation that continues `prompt`, for those who want its counts and times as well. The prompt is made
    /// into tokens; nothing is computed yet.
    public func begin(
        _ prompt: String, options: GenerationOptions = GenerationOptions()
    ) async throws -> Generation {
        let options = try options.generated()
        let session = generated
        return try await BlockingWork.computing.run {
            try Generation(try session.generate(prompt: prompt, options: options))
        }
    }

    /// A generation that continues a text of tokens.
    public func begin(
        tokens: [UInt32], options: GenerationOptions = GenerationOptions()
    ) async throws -> Generation {
        let options = try options.generated()
        let session = generated
        return try await BlockingWork.computing.run {
            try Generation(try session.generateFromTokens(tokens: tokens, options: options))
        }
    }

    /// Tokens that the session holds.
    public var tokenCount: Int {
        get throws { Int(try translatingErrors { try generated.tokenCount() }) }
    }

    /// Tokens that the session can hold.
    public var capacity: Int {
        get throws { Int(try translatingErrors { try generated.capacity() }) }
    }

    /// Keeps the first `length` tokens; 0 forgets the text.
    public func truncate(to length: Int) throws {
        try translatingErrors { try generated.truncate(length: try unsigned(length, "length")) }
    }

    /// A second session with the same content, which costs no copy until the two differ.
    public func fork() throws -> Session {
        try translatingErrors { Session(try generated.fork()) }
    }

    /// Gives the session and its KV cache up now instead of with the last reference, and cancels its generation.
    public func close() {
        // Giving up cannot fail, and there would be nothing to do about it.
        try? generated.release()
    }
}
