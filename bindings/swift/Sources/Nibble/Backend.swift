internal import NibbleBindings

/// What runs a network, and on what.
public enum Backend: Hashable, Sendable {
    /// Our own kernels on the processor: in every build.
    case cpu
    /// Candle on a graphics processor, where this build knows one and the machine has it; else our own kernels.
    case automatic
    /// Candle on the processor: a check of our kernels, slower than they are.
    case candle
    /// Candle on Apple's graphics processors.
    case metal
    /// Candle on NVIDIA's.
    case cuda

    /// A backend, and whether it can be used here.
    public struct Availability: Hashable, Sendable {
        /// The backend.
        public let backend: Backend
        /// Whether this build has it and this machine can run it.
        public let isUsable: Bool
        /// Why it cannot be used, or in what it is limited.
        public let remark: String?
    }

    /// What runs the network of a model now.
    public struct Status: Hashable, Sendable {
        /// `cpu` for our own kernels, or `candle`.
        public let name: String
        /// Why the backend that was chosen does not run it; `nil` while it does.
        public let fallback: String?
    }

    /// All backends, and which of them this build and machine can use. Those that the build has are tried.
    public static var available: [Availability] {
        get throws {
            try translatingErrors {
                try availableBackends().map { found in
                    Availability(backend: Backend(found.backend), isUsable: found.usable, remark: found.remark)
                }
            }
        }
    }

    init(_ choice: BackendChoice) {
        switch choice {
        case .cpu: self = .cpu
        case .auto: self = .automatic
        case .candle: self = .candle
        case .metal: self = .metal
        case .cuda: self = .cuda
        }
    }

    var generated: BackendChoice {
        switch self {
        case .cpu: .cpu
        case .automatic: .auto
        case .candle: .candle
        case .metal: .metal
        case .cuda: .cuda
        }
    }
}
