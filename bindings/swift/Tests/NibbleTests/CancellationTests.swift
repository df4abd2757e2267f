import Foundation
import Nibble
import XCTest

final class CancellationTests: XCTestCase {
    func testCancellingTheTaskStopsThePrefill() async throws {
        let model = try await Model(contentsOf: Places.smolLM2)
        let session = try model.makeSession()
        let task = Task { try await session.generate(longPrompt).collect() }
        // Until it is at work.
        while (try? session.tokenCount) != nil { try await Task.sleep(for: .milliseconds(1)) }
        task.cancel()
        let stopped = try await task.value
        // Not even the step was done that was under way.
        XCTAssertEqual(stopped, Generated())
        XCTAssertLessThan(try session.tokenCount, try model.encode(longPrompt).count)

        // The session is as good as before.
        let after = try await session.generate("I'll be there in", options: GenerationOptions(maxTokens: 8)).collect()
        let fresh = try await model.makeSession()
            .generate("I'll be there in", options: GenerationOptions(maxTokens: 8)).collect()
        XCTAssertEqual(after, fresh)
    }

    func testCancellingTheTaskStopsTheNextStep() async throws {
        let model = try await Model(contentsOf: Places.smolLM2)
        let session = try model.makeSession()
        let counter = Counter()
        let task = Task {
            let options = GenerationOptions(maxTokens: 400, stopsAtEndOfText: false)
            for try await _ in session.generate("Once upon a time", options: options) {
                if await counter.increment() == 5 { withUnsafeCurrentTask { $0?.cancel() } }
            }
        }
        try await task.value
        let count = await counter.value
        XCTAssertEqual(count, 5)
    }

    func testCancellingFromOutsideStopsTheStepThatRuns() async throws {
        let model = try await Model(contentsOf: Places.smolLM2)
        let session = try model.makeSession()
        let options = GenerationOptions(maxTokens: 4000, stopsAtEndOfText: false)
        let generation = try await session.begin("Once upon a time", options: options)
        let counter = Counter()
        let task = Task {
            for try await _ in generation.chunks { await counter.increment() }
        }
        while await counter.value < 5 { try await Task.sleep(for: .milliseconds(1)) }
        generation.cancel()
        let atCancellation = await counter.value
        do {
            try await task.value
            XCTFail("it went on to the end")
        } catch NibbleError.cancelled(let details) {
            XCTAssertEqual(details.code, "cancelled")
        }
        // The step that was through when it was cancelled may still arrive.
        let count = await counter.value
        XCTAssertLessThanOrEqual(count, atCancellation + 1)
    }

    func testLeavingTheLoopEndsTheWork() async throws {
        let model = try await Model(contentsOf: Places.phi3Tiny)
        let session = try model.makeSession()
        for try await chunk in session.generate("In the beginning") where chunk.generatedTokens == 3 { break }
        let held = try session.tokenCount
        try await Task.sleep(for: .milliseconds(50))
        XCTAssertEqual(try session.tokenCount, held)
    }

    func testATaskThatIsCancelledBeforehandComputesNothing() async throws {
        let model = try await Model(contentsOf: Places.phi3Tiny)
        let session = try model.makeSession()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await session.generate("In the beginning").collect()
        }
        let generated = try await task.value
        XCTAssertEqual(generated, Generated())
        XCTAssertEqual(try session.tokenCount, 0)
    }

    func testASingleStepOfACancelledTaskThrows() async throws {
        let model = try await Model(contentsOf: Places.smolLM2)
        let generation = try await model.makeSession().begin(longPrompt)
        let task = Task { try await generation.next() }
        try await Task.sleep(for: .milliseconds(20))
        task.cancel()
        do {
            _ = try await task.value
            XCTFail("it went on to the end")
        } catch is CancellationError {}
    }

    private actor Counter {
        var value = 0

        @discardableResult
        func increment() -> Int {
            value += 1
            return value
        }
    }
}
