internal import NibbleBindings

/// How the inputs of matrix products are held.
public enum Activations: Hashable, Sendable {
    /// 8 bits: fastest.
    case q8
    /// Twice 8 bits: nearly exact.
    case q16
    /// 32-bit floating point: exact.
    case f32

    var generated: NibbleBindings.Activations {
        switch self {
        case .q8: .q8
        case .q16: .q16
        case .f32: .f32
        }
    }
}

/// How a session stores keys and values.
public enum KVFormat: Hashable, Sendable {
    /// 16-bit floating point.
    case f16
    /// 32-bit floating point.
    case f32
    /// 8 bits, with a scale for every 32 values.
    case q8

    var generated: NibbleBindings.KvFormat {
        switch self {
        case .f16: .f16
        case .f32: .f32
        case .q8: .q8
        }
    }
}

/// How urgently the threads that compute want a core while others want it, too.
public enum Priority: Hashable, Sendable {
    /// As the system has it.
    case normal
    /// Somebody waits for the result: they run as `userInitiated` does.
    case interactive

    var generated: NibbleBindings.Priority {
        switch self {
        case .normal: .normal
        case .interactive: .interactive
        }
    }
}

/// How a model is opened.
public struct ModelOptions: Hashable, Sendable {
    /// Threads that compute, the caller's included; 0 for one on each performance core.
    public var threads: Int
    /// How urgently they want a core while others want it, too.
    public var priority: Priority
    /// Tokens that sessions hold unless they ask for others; 0 for 4096 or what the model allows, whichever is
    /// less.
    public var context: Int
    /// How sessions hold activations unless they ask for another way; `nil` for what suits the model's size.
    public var activations: Activations?
    /// How sessions store keys and values unless they ask for another way; `nil` for 16 bits.
    public var kvFormat: KVFormat?
    /// Bytes that the model and one session may take. Opening fails with ``NibbleError/memoryLimit(file:needed:available:_:)``
    /// where ``MemoryEstimate/total`` is more.
    public var memoryLimit: UInt64?
    /// What runs the network. Where the chosen one fails, our own kernels go on, and ``Model/backend`` says why. One
    /// that this build does not have is a ``NibbleError/invalidArgument(name:expected:found:_:)``.
    public var backend: Backend

    /// Options; what is not named is as usual.
    public init(
        threads: Int = 0, priority: Priority = .interactive, context: Int = 0, activations: Activations? = nil,
        kvFormat: KVFormat? = nil, memoryLimit: UInt64? = nil, backend: Backend = .cpu
    ) {
        self.threads = threads
        self.priority = priority
        self.context = context
        self.activations = activations
        self.kvFormat = kvFormat
        self.memoryLimit = memoryLimit
        self.backend = backend
    }

    func generated() throws -> NibbleBindings.ModelOptions {
        NibbleBindings.ModelOptions(
            threads: try unsigned(threads, "threads"),
            priority: priority.generated,
            context: try unsigned(context, "context"),
            activations: activations?.generated,
            kvFormat: kvFormat?.generated,
            memoryLimit: memoryLimit,
            backend: backend.generated
        )
    }
}

/// How a session is made.
public struct SessionOptions: Hashable, Sendable {
    /// Tokens that it can hold; 0 for what the model was opened with.
    public var context: Int
    /// How activations are held; `nil` for what the model was opened with.
    public var activations: Activations?
    /// How keys and values are stored; `nil` for what the model was opened with.
    public var kvFormat: KVFormat?

    /// Options; what is not named is as the model was opened.
    public init(context: Int = 0, activations: Activations? = nil, kvFormat: KVFormat? = nil) {
        self.context = context
        self.activations = activations
        self.kvFormat = kvFormat
    }

    func generated() throws -> NibbleBindings.SessionOptions {
        NibbleBindings.SessionOptions(
            context: try unsigned(context, "context"),
            activations: activations?.generated,
            kvFormat: kvFormat?.generated
        )
    }
}

/// Bytes of memory that a model with one session takes when the session's context is full.
public struct MemoryEstimate: Hashable, Sendable {
    /// Weights: pages of the mapped file, which the system can drop and read again.
    public let mapped: UInt64
    /// Keys and values of a full context.
    public let kvCache: UInt64
    /// Buffers of a forward pass.
    public let buffers: UInt64
    /// All of it.
    public let total: UInt64

    init(_ estimate: NibbleBindings.MemoryEstimate) {
        mapped = estimate.mapped
        kvCache = estimate.kvCache
        buffers = estimate.buffers
        total = estimate.total
    }
}
