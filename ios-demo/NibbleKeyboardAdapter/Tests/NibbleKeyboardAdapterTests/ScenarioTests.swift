import Foundation
import XCTest

final class ScenarioTests: XCTestCase, @unchecked Sendable {
    @MainActor
    func testEveryScenarioThatAFieldOfUIKitCanHavePlaysAsWritten() async throws {
        let files = try FileManager.default
            .contentsOfDirectory(at: Places.scenarios, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "json" }
        var (played, unplayable) = (0, 0)
        for file in files.sorted(by: { $0.path < $1.path }) {
            let group = try JSONValue(parsing: String(contentsOf: file, encoding: .utf8))
            for scenario in group["scenarios"]?.array ?? [] {
                let name = "\(file.lastPathComponent): \(scenario["name"]?.string ?? "?")"
                guard ScenarioPlayer.canPlay(scenario) else {
                    unplayable += 1
                    continue
                }
                do {
                    try ScenarioPlayer.play(scenario)
                    played += 1
                } catch is ScenarioPlayer.NoSuchField {
                    unplayable += 1
                } catch {
                    XCTFail("\(name): \(error)")
                }
            }
        }
        print("\(played) scenarios played; UIKit has no field for \(unplayable)")
        // A folder that was not found would pass as well.
        XCTAssertGreaterThanOrEqual(played, 366)
        XCTAssertLessThanOrEqual(unplayable, 22)
    }
}
