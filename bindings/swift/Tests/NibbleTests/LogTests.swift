import Nibble
import XCTest

final class LogTests: XCTestCase {
    func testTheLogHoldsNothingThatWasTyped() async throws {
        let logs = try Logs(level: .trace)
        _ = try logs.drain()
        let engine = try TypingEngine(
            model: try await Model(contentsOf: Places.smolLM2),
            lexicons: [try Lexicon(contentsOf: Places.englishLexicon)])
        try await engine.waitUntilIdle()
        _ = try await engine.freshSuggestions(for: EditorContext(before: "Xylophonist quagmire "))
        engine.close()
        let records = try logs.drain()
        XCTAssertFalse(records.isEmpty)
        for record in records {
            XCTAssertTrue(record.target.hasPrefix("nibble"), record.target)
            XCTAssertFalse(record.message.lowercased().contains("xylophon"), record.message)
            XCTAssertEqual(record.date.timeIntervalSinceNow, 0, accuracy: 600)
        }
        XCTAssertEqual(try logs.drain(), [])
        try logs.setLevel(.error)
    }
}
