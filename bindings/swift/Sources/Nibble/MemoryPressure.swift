#if canImport(Darwin)
    import Dispatch
#endif

/// How short memory is.
public enum MemoryPressure: Hashable, Sendable {
    /// There is enough.
    case normal
    /// It grows short.
    case warning
    /// The process is about to be killed.
    case critical
}

#if canImport(Darwin)
    /// Tells typing engines when the system's memory is short, for as long as it lives.
    ///
    /// A keyboard extension is killed without a report when it takes too much, so make one beside the engine.
    /// Elsewhere than on Apple's systems call ``TypingEngine/handleMemoryPressure(_:)`` from what the system offers.
    public final class MemoryPressureMonitor: @unchecked Sendable {
        /// Dispatch sources may be used from any thread, whether the SDK says so or not.
        private let source: any DispatchSourceMemoryPressure

        /// Calls `handler` at every change, on a queue of its own.
        public init(_ handler: @escaping @Sendable (MemoryPressure) -> Void) {
            let queue = DispatchQueue(label: "dev.nibble.memory-pressure", qos: .userInitiated)
            nonisolated(unsafe) let source = DispatchSource.makeMemoryPressureSource(
                eventMask: [.normal, .warning, .critical], queue: queue)
            // The source keeps its handler and the handler the source, until it is cancelled.
            source.setEventHandler {
                let event = source.data
                if event.contains(.critical) {
                    handler(.critical)
                } else if event.contains(.warning) {
                    handler(.warning)
                } else {
                    handler(.normal)
                }
            }
            source.activate()
            self.source = source
        }

        /// Passes every change on to an engine, which it does not keep alive.
        public convenience init(engine: TypingEngine) {
            self.init { [weak engine] pressure in
                // An engine that was closed meanwhile has no memory to give back.
                try? engine?.handleMemoryPressure(pressure)
            }
        }

        deinit {
            source.cancel()
        }
    }
#endif
