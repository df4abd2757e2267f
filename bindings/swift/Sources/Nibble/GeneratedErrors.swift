internal import NibbleBindings

extension NibbleError {
    /// The error of this package for one of the generated code.
    init(_ error: NibbleBindings.NibbleError) {
        switch error {
        case .NotFound(let code, let detail, let file):
            self = .notFound(file: file, Details(code: code, message: detail))
        case .Io(let code, let detail, let file):
            self = .io(file: file, Details(code: code, message: detail))
        case .WrongFormat(let code, let detail, let file):
            self = .wrongFormat(file: file, Details(code: code, message: detail))
        case .Truncated(let code, let detail, let file, let needed, let available):
            let details = Details(code: code, message: detail)
            self = .truncated(file: file, needed: needed, available: available, details)
        case .Damaged(let code, let detail, let file, let expected, let found):
            let details = Details(code: code, message: detail)
            self = .damaged(file: file, expected: expected, found: found, details)
        case .Unsupported(let code, let detail, let file, let found):
            self = .unsupported(file: file, found: found, Details(code: code, message: detail))
        case .FileChanged(let code, let detail, let file, let expected, let found):
            let details = Details(code: code, message: detail)
            self = .fileChanged(file: file, expected: expected, found: found, details)
        case .ChecksumMismatch(let code, let detail, let file, let expected, let found):
            let details = Details(code: code, message: detail)
            self = .checksumMismatch(file: file, expected: expected, found: found, details)
        case .MemoryLimit(let code, let detail, let file, let needed, let available):
            let details = Details(code: code, message: detail)
            self = .memoryLimit(file: file, needed: needed, available: available, details)
        case .OutOfMemory(let code, let detail, let needed):
            self = .outOfMemory(needed: needed, Details(code: code, message: detail))
        case .DiskSpace(let code, let detail, let file, let needed, let available):
            let details = Details(code: code, message: detail)
            self = .diskSpace(file: file, needed: needed, available: available, details)
        case .ContextFull(let code, let detail, let needed, let available):
            let details = Details(code: code, message: detail)
            self = .contextFull(needed: needed, available: available, details)
        case .InvalidArgument(let code, let detail, let argument, let expected, let found):
            let details = Details(code: code, message: detail)
            self = .invalidArgument(name: argument, expected: expected, found: found, details)
        case .Cancelled(let code, let detail):
            self = .cancelled(Details(code: code, message: detail))
        case .Busy(let code, let detail):
            self = .busy(Details(code: code, message: detail))
        case .Closed(let code, let detail):
            self = .closed(Details(code: code, message: detail))
        case .InUse(let code, let detail, let file):
            self = .inUse(file: file, Details(code: code, message: detail))
        case .ReadOnly(let code, let detail):
            self = .readOnly(Details(code: code, message: detail))
        case .Internal(let code, let detail):
            self = .internal(Details(code: code, message: detail))
        }
    }
}

/// Calls the generated code, and makes its errors this package's. A panic of the library arrives as an error of
/// the generated code's own, which is an internal one.
func translatingErrors<Result>(_ call: () throws -> Result) throws -> Result {
    do {
        return try call()
    } catch let error as NibbleBindings.NibbleError {
        throw NibbleError(error)
    } catch let error as NibbleError {
        throw error
    } catch {
        let message = error.localizedDescription
        throw NibbleError.internal(NibbleError.Details(code: "internal", message: message))
    }
}

/// A count as the library takes it.
func unsigned(_ value: Int, _ name: String) throws -> UInt32 {
    guard let count = UInt32(exactly: value) else {
        let details = NibbleError.Details(
            code: "invalid_argument",
            message: "invalid \(name): expected 0 to \(UInt32.max), found \(value)"
        )
        throw NibbleError.invalidArgument(
            name: name, expected: "0 to \(UInt32.max)", found: "\(value)", details)
    }
    return count
}
