#if os(Linux)
    import Foundation

    /// Bytes of this process that no file backs: what a leak would add to.
    func anonymousMemory() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        for line in status.split(separator: "\n") where line.hasPrefix("RssAnon:") {
            if let kilobytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) }) {
                return kilobytes * 1024
            }
        }
        throw ScenarioError("no RssAnon in /proc/self/status")
    }
#endif
