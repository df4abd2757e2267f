import Foundation

/// A value behind a lock. (`Mutex` of the standard library asks for iOS 18.)
final class Locked<Value>: @unchecked Sendable {
    private let lock = NSLock()
    /// Only touched with the lock held, which is why this class may call itself `Sendable`.
    private var value: Value

    init(_ value: Value) {
        self.value = value
    }

    func withLock<Result>(_ work: (inout Value) throws -> Result) rethrows -> Result {
        lock.lock()
        defer { lock.unlock() }
        return try work(&value)
    }
}
