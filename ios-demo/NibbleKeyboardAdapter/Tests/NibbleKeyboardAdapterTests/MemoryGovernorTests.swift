import Foundation
import Nibble
import XCTest

@testable import NibbleKeyboardAdapter

final class MemoryGovernorTests: XCTestCase, @unchecked Sendable {
    /// What a process takes: so much of its own, and more from when the engine has a model until its memory is freed,
    /// which is not at once.
    @MainActor
    private final class Process {
        var own: UInt64 = 20 << 20
        let engine: TypingEngine
        private(set) lazy var governor = MemoryGovernor(
            engine: engine, budget: MemoryGovernor.Budget(limit: 40 << 20, retryDelay: .seconds(20)),
            footprint: { [unowned self] in self.footprint },
            open: { try await Model(contentsOf: Places.smolLM2) })

        init() throws {
            engine = try TypingEngine(
                lexicons: [try Lexicon(contentsOf: Places.englishLexicon)])
        }

        private var model: UInt64 = 0

        private var footprint: UInt64 {
            if (try? engine.modelState) != .absent { model = 12 << 20 }
            return own + model
        }

        func freesModel() { model = 0 }
    }

    @MainActor
    func testTheModelComesAndGoesWithTheKeyboard() async throws {
        let process = try Process()
        process.governor.appear(at: .zero)
        XCTAssertEqual(process.governor.state, .opening)
        await process.governor.finishOpening()
        XCTAssertEqual(process.governor.state, .present)
        try await process.engine.waitUntilIdle()
        let context = EditorContext(before: "Could you please send me the rep")
        let answer = try await process.engine.freshSuggestions(for: context)
        XCTAssertTrue(answer.isFresh)

        process.governor.disappear()
        XCTAssertEqual(try process.engine.modelState, .absent)
        XCTAssertFalse(try process.engine.suggest(context).items.isEmpty)
        process.governor.check(at: .seconds(100))
        XCTAssertEqual(process.governor.state, .absent)

        process.governor.appear(at: .seconds(200))
        await process.governor.finishOpening()
        let again = try await process.engine.freshSuggestions(for: context)
        XCTAssertEqual(again, answer)
    }

    @MainActor
    func testAKeyboardThatIsGoneBeforeTheModelCameGetsNone() async throws {
        let process = try Process()
        process.governor.appear(at: .zero)
        process.governor.disappear()
        await process.governor.finishOpening()
        try await Task.sleep(for: .milliseconds(300))
        XCTAssertEqual(process.governor.state, .absent)
        XCTAssertEqual(try process.engine.modelState, .absent)
    }

    @MainActor
    func testOverTheBudgetTheModelStaysAwayLongerEveryTime() async throws {
        let process = try Process()
        process.governor.appear(at: .zero)
        await process.governor.finishOpening()
        process.own = 30 << 20
        process.governor.check(at: .seconds(1))
        XCTAssertEqual(try process.engine.modelState, .absent)
        process.governor.check(at: .seconds(3))
        process.freesModel()

        // It would be too dear again, as was seen when it went.
        process.governor.check(at: .seconds(60))
        XCTAssertEqual(process.governor.state, .absent)
        process.own = 20 << 20
        process.governor.check(at: .seconds(61))
        await process.governor.finishOpening()
        XCTAssertEqual(process.governor.state, .present)

        process.governor.handleMemoryPressure(.warning, at: .seconds(70))
        process.freesModel()
        XCTAssertEqual(process.governor.state, .absent)
        process.governor.check(at: .seconds(100))
        XCTAssertEqual(process.governor.state, .absent)
        process.governor.check(at: .seconds(110))
        await process.governor.finishOpening()
        XCTAssertEqual(process.governor.state, .present)
    }

    @MainActor
    func testAModelThatEndedAProcessIsNotOpenedByTheNextOne() async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let trial = folder.url.appendingPathComponent("trial")
        let isOnTrial = { FileManager.default.fileExists(atPath: trial.path) }
        let engine = try TypingEngine(lexicons: [])
        let make = {
            MemoryGovernor(
                engine: engine, footprint: { nil }, trial: trial,
                open: { try await Model(contentsOf: Places.phi3Tiny) })
        }
        let ended = make()
        ended.appear(at: .zero)
        XCTAssertTrue(isOnTrial())
        await ended.finishOpening()
        XCTAssertTrue(isOnTrial(), "it has not been used")
        // The system ends the process here.
        try engine.setModel(nil)

        let next = make()
        next.appear(at: .zero)
        await next.finishOpening()
        XCTAssertEqual(next.state, .absent)
        next.disappear()
        XCTAssertTrue(isOnTrial())

        // A day later it may have another chance, and is seen to fit.
        try Data("\(Date().timeIntervalSince1970 - 25 * 60 * 60)".utf8).write(to: trial)
        next.appear(at: .seconds(1))
        await next.finishOpening()
        XCTAssertEqual(next.state, .present)
        next.check(at: .seconds(3))
        XCTAssertFalse(isOnTrial())
        next.disappear()
        next.appear(at: .seconds(4))
        XCTAssertTrue(isOnTrial())
        next.disappear()
        XCTAssertFalse(isOnTrial())
    }

    func testTheBudgetStaysBelowTheLimitOfTheProcess() {
        XCTAssertEqual(MemoryGovernor.Budget(processLimit: 66 << 20).limit, 58 << 20)
        XCTAssertEqual(MemoryGovernor.Budget(processLimit: 1).limit, 0)
        XCTAssertEqual(MemoryGovernor.Budget(processLimit: nil), MemoryGovernor.Budget())
    }

    @MainActor
    func testAModelThatCannotBeOpenedIsReportedOnce() async throws {
        let engine = try TypingEngine(lexicons: [])
        var errors: [any Error] = []
        let governor = MemoryGovernor(
            engine: engine, footprint: { nil },
            open: { try await Model(contentsOf: Places.scenarios.appendingPathComponent("README.md")) })
        governor.onError = { errors.append($0) }
        governor.appear(at: .zero)
        await governor.finishOpening()
        XCTAssertEqual(governor.state, .absent)
        governor.check(at: .seconds(100))
        await governor.finishOpening()
        XCTAssertEqual(errors.count, 1)
        guard case NibbleError.wrongFormat? = errors.first else { return XCTFail("\(errors)") }
    }
}
