import Foundation
import Nibble
import XCTest

final class ScenarioTests: XCTestCase {
    func testEveryScenarioPlaysAsWritten() throws {
        let files = try FileManager.default
            .contentsOfDirectory(at: Places.scenarios, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "json" }
        var played = 0
        for file in files.sorted(by: { $0.path < $1.path }) {
            let group = try JSONValue(parsing: String(contentsOf: file, encoding: .utf8))
            for scenario in group["scenarios"]?.array ?? [] {
                let name = "\(file.lastPathComponent): \(scenario["name"]?.string ?? "?")"
                XCTAssertNoThrow(try ScenarioPlayer.play(scenario), name)
                played += 1
            }
        }
        // A folder that was not found would pass as well.
        XCTAssertGreaterThanOrEqual(played, 380)
    }

    func testTheControllerRefusesWhatIsNoEvent() throws {
        let controller = try KeyboardController()
        XCTAssertThrowsError(try controller.handle(json: #"{"time": 1, "character": 7}"#)) { error in
            guard case NibbleError.invalidArgument(let name, _, let found, let details) = error else {
                return XCTFail("\(error)")
            }
            XCTAssertEqual(name, "event")
            XCTAssertEqual(found, "")
            XCTAssertEqual(details.code, "invalid_argument")
        }
        XCTAssertThrowsError(try controller.handle(.tapSuggestion(strip: 0, slot: -1), at: .zero)) { error in
            guard case NibbleError.invalidArgument(name: "slot", _, found: "-1", _) = error else {
                return XCTFail("\(error)")
            }
        }
    }
}
