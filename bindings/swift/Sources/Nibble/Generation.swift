import Dispatch
internal import NibbleBindings

/// Why a generation ended.
public enum StopReason: Hashable, Sendable {
    /// The model ended the text.
    case endOfText
    /// As many tokens were generated as were asked for.
    case maxTokens
    /// One of the stop strings appeared.
    case stopString
}

/// A piece of generated text.
public struct Chunk: Hashable, Sendable {
    /// Whole characters; empty while a character is incomplete or a stop string may have begun.
    public let text: String
    /// The token behind it; `nil` in a last chunk that has no token of its own.
    public let token: UInt32?
    /// Tokens generated so far.
    public let generatedTokens: Int
    /// Why the generation ended: in its last chunk, and only there.
    public let stopReason: StopReason?

    init(_ chunk: NibbleBindings.Chunk) {
        text = chunk.text
        token = chunk.token
        generatedTokens = Int(chunk.generatedTokens)
        stopReason = chunk.stopReason.map { reason in
            switch reason {
            case .endOfText: .endOfText
            case .maxTokens: .maxTokens
            case .stopString: .stopString
            }
        }
    }
}

/// Counts and times of one generation.
public struct GenerationStats: Hashable, Sendable {
    /// Tokens of the prompt.
    public let promptTokens: Int
    /// Tokens of the prompt that the session held already.
    public let reusedTokens: Int
    /// Tokens that went through the network in prefill.
    public let prefilledTokens: Int
    /// Tokens generated.
    public let generatedTokens: Int
    /// Time of all prefills.
    public let prefillTime: Duration
    /// Time of all single-token passes.
    public let decodeTime: Duration
    /// From the first pull to the first token.
    public let firstTokenTime: Duration
    /// Tokens of prefill a second; 0 where there were none.
    public let prefillTokensPerSecond: Double
    /// Single-token passes a second; 0 before the first.
    public let decodeTokensPerSecond: Double

    init(_ stats: NibbleBindings.GenerationStats) {
        promptTokens = Int(stats.promptTokens)
        reusedTokens = Int(stats.reusedTokens)
        prefilledTokens = Int(stats.prefilledTokens)
        generatedTokens = Int(stats.generatedTokens)
        prefillTime = .milliseconds(stats.prefillMilliseconds)
        decodeTime = .milliseconds(stats.decodeMilliseconds)
        firstTokenTime = .milliseconds(stats.firstTokenMilliseconds)
        prefillTokensPerSecond = stats.prefillTokensPerSecond
        decodeTokensPerSecond = stats.decodeTokensPerSecond
    }
}

/// A text that is being continued, one pulled step at a time: for those who want to be asked before each step, or to see
/// counts and times. ``Session/generate(_:options:)`` is the simpler way.
public final class Generation: Sendable {
    private let generated: NibbleBindings.Generation
    private let cancelHandle: NibbleBindings.CancelHandle

    init(_ generated: NibbleBindings.Generation) throws {
        self.generated = generated
        cancelHandle = try generated.cancelHandle()
    }

    /// Runs one step on a thread of the package's own. The first reads the prompt, which takes longest.
    ///
    /// Cancelling the task that waits for it stops the work within a fraction of a step.
    ///
    /// - Returns: The text that is settled by the step; `nil` after the chunk that has a stop reason.
    /// - Throws: `CancellationError` where the task was cancelled; ``NibbleError``: `cancelled` after
    ///   ``cancel()``, `busy` while another task runs a step of the same session, `contextFull`, `closed`.
    public func next() async throws -> Chunk? {
        try Task.checkCancellation()
        let generated = generated
        return try await withTaskCancellationHandler {
            do {
                return try await BlockingWork.computing.run { try generated.next().map(Chunk.init) }
            } catch NibbleError.cancelled where Task.isCancelled {
                throw CancellationError()
            }
        } onCancel: {
            cancel()
        }
    }

    /// The rest of the text, generated on a thread of its own at the pace of the model, as
    /// ``Session/generate(_:options:)`` does.
    public var chunks: AsyncThrowingStream<Chunk, any Error> {
        stream(on: DispatchQueue(label: "dev.nibble.generation", qos: .userInitiated)) { self.generated }
    }

    /// Stops the work within a fraction of a step, from any thread and without waiting.
    public func cancel() {
        // Sets a flag, and cannot fail.
        try? cancelHandle.cancel()
    }

    /// Counts and times so far; throws ``NibbleError/busy(_:)`` while a step runs.
    public var stats: GenerationStats {
        get throws {
            try translatingErrors { GenerationStats(try generated.stats()) }
        }
    }
}

/// The chunks of the generation that `begin` makes, from a thread of `queue` that does nothing else until the last one.
///
/// The work is cancelled when the task that reads the stream is, or when nobody has the stream any more.
func stream(
    on queue: DispatchQueue, begin: @escaping @Sendable () throws -> NibbleBindings.Generation
) -> AsyncThrowingStream<Chunk, any Error> {
    AsyncThrowingStream { continuation in
        let cancellation = Cancellation()
        continuation.onTermination = { reason in
            if case .cancelled = reason { cancellation.cancel() }
        }
        queue.async {
            let result = Result {
                try translatingErrors {
                    let generation = try begin()
                    cancellation.reaches(try generation.cancelHandle())
                    while let chunk = try generation.next() {
                        continuation.yield(Chunk(chunk))
                    }
                }
            }
            switch result {
            case .success: continuation.finish()
            case .failure(let error): continuation.finish(throwing: error)
            }
        }
    }
}

/// A cancellation that may come before there is something to cancel.
private final class Cancellation: Sendable {
    private let state = Locked<(isCancelled: Bool, handle: NibbleBindings.CancelHandle?)>((false, nil))

    func cancel() {
        state.withLock { state in
            state.isCancelled = true
            // Sets a flag, and cannot fail.
            try? state.handle?.cancel()
        }
    }

    func reaches(_ handle: NibbleBindings.CancelHandle) {
        state.withLock { state in
            state.handle = handle
            if state.isCancelled { try? handle.cancel() }
        }
    }
}
