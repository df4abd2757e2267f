#if canImport(os)
    import Dispatch
    import os

    /// Passes what the library logs on to the system's log, for as long as it lives.
    public final class SystemLog: @unchecked Sendable {
        /// Dispatch sources may be used from any thread, whether the SDK says so or not.
        private let timer: any DispatchSourceTimer

        /// Looks for new records every second, and once more when it ends.
        ///
        /// - Parameter subsystem: Usually the bundle's identifier. The category is `nibble`.
        public init(level: LogLevel, subsystem: String) throws {
            let logs = try Logs(level: level)
            let logger = Logger(subsystem: subsystem, category: "nibble")
            let queue = DispatchQueue(label: "dev.nibble.log", qos: .utility)
            let timer = DispatchSource.makeTimerSource(queue: queue)
            let drain: @Sendable () -> Void = {
                // A log that cannot be read cannot be told of in the log.
                for record in (try? logs.drain()) ?? [] {
                    // The library logs counts and times alone, so nothing has to be hidden.
                    let text = "\(record.target): \(record.message)"
                    logger.log(level: record.level.systemType, "\(text, privacy: .public)")
                }
            }
            timer.setEventHandler(handler: drain)
            timer.setCancelHandler(handler: drain)
            timer.schedule(deadline: .now() + 1, repeating: 1, leeway: .milliseconds(500))
            timer.activate()
            self.timer = timer
        }

        deinit {
            timer.cancel()
        }
    }

    extension LogLevel {
        fileprivate var systemType: OSLogType {
            switch self {
            case .error: .error
            case .warning: .default
            case .info: .info
            case .debug, .trace: .debug
            }
        }
    }
#endif
