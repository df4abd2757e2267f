import Foundation

/// What went wrong.
///
/// The case says what an app can do about it. ``Details/code`` is the exact and stable name, and
/// ``Details/message`` a sentence in English for developers. Neither ever holds typed text.
public enum NibbleError: Error, Hashable, Sendable {
    /// What every error says about itself.
    public struct Details: Hashable, Sendable {
        /// The exact name, in `snake_case`; it stays the same from version to version.
        public let code: String
        /// What happened, in English, for developers.
        public let message: String

        /// Details of an error.
        public init(code: String, message: String) {
            self.code = code
            self.message = message
        }
    }

    /// There is no such file.
    case notFound(file: String, Details)
    /// The system refused to open, read, map or write: a directory, no permission, a full disk.
    case io(file: String, Details)
    /// The file is something else.
    case wrongFormat(file: String, Details)
    /// The file ends before something that it promises, as after a download that was cut off. In bytes.
    case truncated(file: String, needed: UInt64, available: UInt64, Details)
    /// The file contradicts itself. `file` is empty where it was given as bytes.
    case damaged(file: String, expected: String, found: String, Details)
    /// The file is in order and asks for what this version does not have.
    case unsupported(file: String, found: String, Details)
    /// The file became shorter, or was replaced, while it was mapped. Lengths in bytes.
    case fileChanged(file: String, expected: UInt64, found: UInt64, Details)
    /// The file has another checksum. SHA-256 in hexadecimal.
    case checksumMismatch(file: String, expected: String, found: String, Details)
    /// The model needs more memory than the limit that was given. In bytes.
    case memoryLimit(file: String, needed: UInt64, available: UInt64, Details)
    /// Memory could not be had. In bytes.
    case outOfMemory(needed: UInt64, Details)
    /// A file that was to be written does not fit the disk; nothing is left of it. In bytes.
    case diskSpace(file: String, needed: UInt64, available: UInt64, Details)
    /// The text does not fit the session's context. In tokens.
    case contextFull(needed: UInt64, available: UInt64, Details)
    /// An argument outside its range; nothing was done. `found` is empty for text, which is not repeated.
    case invalidArgument(name: String, expected: String, found: String, Details)
    /// The work was cancelled, by ``Generation/cancel()`` or by closing its session. Where the surrounding
    /// `Task` was cancelled, `CancellationError` is thrown instead. The session can be used again.
    case cancelled(Details)
    /// Another task is using the object.
    case busy(Details)
    /// The object, or one that it stands on, was closed.
    case closed(Details)
    /// Another process, or another object of this one, writes to the file.
    case inUse(file: String, Details)
    /// It was opened for reading only.
    case readOnly(Details)
    /// A bug in Nibble; please report it.
    case `internal`(Details)

    /// What the error says about itself.
    public var details: Details {
        switch self {
        case .notFound(_, let details), .io(_, let details), .wrongFormat(_, let details),
            .truncated(_, _, _, let details), .damaged(_, _, _, let details),
            .unsupported(_, _, let details), .fileChanged(_, _, _, let details),
            .checksumMismatch(_, _, _, let details), .memoryLimit(_, _, _, let details),
            .outOfMemory(_, let details), .diskSpace(_, _, _, let details),
            .contextFull(_, _, let details),
            .invalidArgument(_, _, _, let details), .cancelled(let details), .busy(let details),
            .closed(let details), .inUse(_, let details), .readOnly(let details),
            .internal(let details):
            return details
        }
    }

    /// The exact name, in `snake_case`.
    public var code: String { details.code }
}

extension NibbleError: LocalizedError {
    /// The sentence for developers. What users read is the app's to say, by case.
    public var errorDescription: String? { details.message }
}
