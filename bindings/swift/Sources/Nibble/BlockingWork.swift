import Dispatch

/// Where work that blocks a thread is done, so that it blocks none of those that run tasks.
struct BlockingWork: Sendable {
    /// Work that computes: opening, tokenizing, steps of generations.
    static let computing = BlockingWork("dev.nibble.computing")
    /// Work that waits for other threads, and must not keep the others from computing.
    static let waiting = BlockingWork("dev.nibble.waiting")

    private let queue: DispatchQueue

    private init(_ label: String) {
        queue = DispatchQueue(label: label, qos: .userInitiated, attributes: .concurrent)
    }

    /// The result of `work`, which is done on a thread of the queue. Errors are this package's.
    func run<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            queue.async {
                continuation.resume(with: Swift.Result { try translatingErrors(work) })
            }
        }
    }
}
