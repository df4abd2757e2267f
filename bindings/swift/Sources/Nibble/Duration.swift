import Foundation

extension Duration {
    /// Whole milliseconds, rounded down; 0 for what is negative.
    var wholeMilliseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (milliseconds, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1000)
        return overflow ? .max : milliseconds + UInt64(attoseconds / 1_000_000_000_000_000)
    }

    /// Time of a clock that never runs backwards.
    static var uptime: Duration {
        .seconds(ProcessInfo.processInfo.systemUptime)
    }
}
