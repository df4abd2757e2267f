import Foundation
import Nibble
import XCTest

final class ModelFileTests: XCTestCase {
    /// What scripts/fetch-model compares it with.
    private let checksum = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

    func testTheRightChecksum() async throws {
        let file = try ModelFile(Places.smolLM2)
        let steps = Collected<ModelFile.VerificationProgress>()
        try await file.verify(sha256: checksum) { steps.append($0) }
        let done = steps.all.map(\.done)
        XCTAssertEqual(done, Array(Set(done)).sorted())
        XCTAssertEqual(done.last, 98_362_432)
        XCTAssertEqual(Set(steps.all.map(\.total)), [98_362_432])
        XCTAssertGreaterThan(done.count, 10)
    }

    func testAnotherChecksumIsToldAtTheEnd() async throws {
        let file = try ModelFile(Places.phi3Tiny)
        do {
            try await file.verify(sha256: checksum)
            XCTFail("no error")
        } catch NibbleError.checksumMismatch(let file, let expected, let found, _) {
            XCTAssertEqual(file, Places.phi3Tiny.path)
            XCTAssertEqual(expected, checksum)
            XCTAssertEqual(found.count, 64)
        }
        do {
            try await file.verify(sha256: "abc")
            XCTFail("no error")
        } catch NibbleError.invalidArgument(name: "sha256", _, _, _) {}
    }

    func testACancelledVerificationIsNone() async throws {
        let file = try ModelFile(Places.smolLM2)
        let task = Task { [checksum] in
            try await file.verify(sha256: checksum) { _ in withUnsafeCurrentTask { $0?.cancel() } }
        }
        do {
            try await task.value
            XCTFail("it went on to the end")
        } catch is CancellationError {}
    }

    func testPreparing() async throws {
        let folder = try TemporaryFolder()
        let source = folder.url.appendingPathComponent("model.gguf")
        try FileManager.default.copyItem(at: Places.phi3Tiny, to: source)
        let steps = Collected<ModelFile.PreparationProgress>()
        try await ModelFile(source).prepare(lexicons: [Places.englishLexicon]) { steps.append($0) }
        XCTAssertEqual(steps.all.last?.done, steps.all.last?.total)
        let prepared = folder.url.appendingPathComponent("model.nibble.gguf")
        do {
            try await ModelFile(prepared).prepare()
            XCTFail("no error")
        } catch NibbleError.unsupported {}
        try FileManager.default.removeItem(at: source)
        let lexicons = try await Model(contentsOf: source).lexicons
        XCTAssertEqual(try lexicons.map { try $0.language }, ["en"])
        XCTAssertEqual(try lexicons.first?.spelling(of: "i'm"), "I'm")
        let without = try await Model(contentsOf: Places.phi3Tiny)
        XCTAssertEqual(try without.lexicons.count, 0)
    }

    func testOfACancelledPreparationNothingIsLeft() async throws {
        let folder = try TemporaryFolder()
        let destination = folder.url.appendingPathComponent("model.gguf")
        let file = try ModelFile(Places.smolLM2)
        let task = Task {
            try await file.prepare(to: destination) { step in
                if step.done > step.total / 2 { withUnsafeCurrentTask { $0?.cancel() } }
            }
        }
        do {
            try await task.value
            XCTFail("it went on to the end")
        } catch is CancellationError {}
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: folder.url.path), [])
    }

    func testInspecting() async throws {
        let info = try await ModelFile(Places.smolLM2).inspect()
        XCTAssertEqual(info.architecture, "llama")
        XCTAssertEqual(info.license, "apache-2.0")
        XCTAssertEqual(info.bytes, 98_362_432)
        let memory = try XCTUnwrap(info.memory)
        XCTAssertEqual(memory.total, memory.mapped + memory.kvCache + memory.buffers)
        let model = try await Model(contentsOf: Places.smolLM2)
        XCTAssertEqual(memory, try model.memoryEstimate())
        let smaller = try await ModelFile(Places.smolLM2).inspect(options: ModelOptions(context: 256))
        XCTAssertLessThan(try XCTUnwrap(smaller.memory).kvCache, memory.kvCache)
    }
}
