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
        let held = try await session.tokenCountWhenDone()
        XCTAssertLessThan(held, try model.encode(longPrompt).count)

        // The session is as good as before.
        let after = try await session.generate("I'll be there in", options: GenerationOptions(maxTokens: 8)).collect()
        let fresh = try await model.makeSession()
            .generate("I'll be there in", options: GenerationOptions(maxTokens: 8)).collect()
        XCTAssertEqual(after, fresh)
    }

    func testCancellingTheTaskEndsTheLoopAndTheWork() async throws {
        let model = try await Model(contentsOf: Places.smolLM2)
        let session = try model.makeSession()
        let task = Task {
            let options = GenerationOptions(maxTokens: 2000, stopsAtEndOfText: false)
            var count = 0
            for try await chunk in session.generate("Once upon a time", options: options) {
                count += 1
                XCTAssertNil(chunk.stopReason)
                if count == 5 { withUnsafeCurrentTask { $0?.cancel() } }
            }
            return count
        }
        let count = try await task.value
        XCTAssertGreaterThanOrEqual(count, 5)
        XCTAssertLessThan(count, 2000)
        let held = try await session.tokenCountWhenDone()
        XCTAssertLessThan(held, 2000)
    }

    func testCancellingFromOutsideStopsTheStepThatRuns() async throws {
        let model = try await Model(contentsOf: Places.smolLM2)
        let session = try model.makeSession()
        let options = GenerationOptions(maxTokens: 4000, stopsAtEndOfText: false)
        let generation = try await session.begin("Once upon a time", options: options)
        let counter = Counter()
        let task = Task {
            while try await generation.next() != nil { await counter.increment() }
        }
        while await counter.value < 5 { try await Task.sleep(for: .milliseconds(1)) }
        generation.cancel()
        let atCancellation = await counter.value
        do {
            try await task.value
            XCTFail("it went on to the end")
        } catch NibbleError.cancelled(let details) {
            // Not a CancellationError: nobody cancelled the task.
            XCTAssertEqual(details.code, "cancelled")
        }
        // The step that was through when it was cancelled may still arrive.
        let count = await counter.value
        XCTAssertLessThanOrEqual(count, atCancellation + 1)
    }

    func testLeavingTheLoopEndsTheWork() async throws {
        let model = try await Model(contentsOf: Places.smolLM2)
        let session = try model.makeSession()
        let options = GenerationOptions(maxTokens: 2000, stopsAtEndOfText: false)
        for try await chunk in session.generate("In the beginning", options: options)
        where chunk.generatedTokens == 3 { break }
        let held = try await session.tokenCountWhenDone()
        XCTAssertLessThan(held, 2000)
        // What comes next need not wait to be asked again.
        let next = try await session.generate("I'll be there", options: GenerationOptions(maxTokens: 2)).collect()
        XCTAssertEqual(next.tokens.count, 2)
    }

    func testAnotherGenerationOnTheSessionBeginsWhenTheFirstEnded() async throws {
        let model = try await Model(contentsOf: Places.smolLM2)
        let session = try model.makeSession()
        let options = GenerationOptions(maxTokens: 8)
        async let first = session.generate("Once upon a time", options: options).collect()
        async let second = session.generate("Once upon a time", options: options).collect()
        let both = try await (first, second)
        XCTAssertEqual(both.0, both.1)
        XCTAssertFalse(both.0.tokens.isEmpty)
    }

    func testATaskThatIsCancelledBeforehandGetsNothing() async throws {
        let model = try await Model(contentsOf: Places.smolLM2)
        let session = try model.makeSession()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await session.generate(longPrompt).collect()
        }
        let generated = try await task.value
        XCTAssertEqual(generated, Generated())
        let held = try await session.tokenCountWhenDone()
        XCTAssertLessThan(held, try model.encode(longPrompt).count)
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
