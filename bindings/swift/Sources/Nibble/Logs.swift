import Foundation
internal import NibbleBindings

/// How much a record of the log matters.
public enum LogLevel: Hashable, Sendable {
    /// Something failed.
    case error
    /// Something is not as it should be.
    case warning
    /// What happens rarely.
    case info
    /// What happens often.
    case debug
    /// What happens all the time.
    case trace

    init(_ level: NibbleBindings.LogLevel) {
        switch level {
        case .error: self = .error
        case .warn: self = .warning
        case .info: self = .info
        case .debug: self = .debug
        case .trace: self = .trace
        }
    }

    var generated: NibbleBindings.LogLevel {
        switch self {
        case .error: .error
        case .warning: .warn
        case .info: .info
        case .debug: .debug
        case .trace: .trace
        }
    }
}

/// What the library logs: counts and times, never text.
///
/// Nothing is logged before the first object of this kind exists. All of them stand for the same log, which keeps the
/// latest 256 records until they are taken. On Apple's systems `SystemLog` passes them on.
public final class Logs: Sendable {
    /// One record.
    public struct Record: Hashable, Sendable {
        /// How much it matters.
        public let level: LogLevel
        /// The part of the library that it comes from.
        public let target: String
        /// What it says.
        public let message: String
        /// When it was made.
        public let date: Date
    }

    private let generated: NibbleBindings.Logs

    /// The log, from this level on.
    public init(level: LogLevel) throws {
        generated = try translatingErrors { try NibbleBindings.Logs(level: level.generated) }
    }

    /// Changes the level.
    public func setLevel(_ level: LogLevel) throws {
        try translatingErrors { try generated.setLevel(level: level.generated) }
    }

    /// Takes the records that came since the last call, oldest first. Where more came than are kept, the first says how
    /// many are missing.
    public func drain() throws -> [Record] {
        try translatingErrors { try generated.drain() }.map { record in
            Record(
                level: LogLevel(record.level),
                target: record.target,
                message: record.message,
                date: Date(timeIntervalSince1970: TimeInterval(record.time) / 1e3)
            )
        }
    }
}
