import Foundation
import Nibble
import XCTest

@testable import NibbleKeyboardAdapter

final class ModelImportTests: XCTestCase {
    /// Of the fixture.
    private let sha256 = "1e89459967eaad9389803add44d11ecd138545fa90a815e73b8d87d4917ff66f"

    /// Files that are in the folder of models.
    private func files(_ container: SharedContainer) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: container.models.path).sorted()
    }

    func testAModelIsCopiedCheckedAndFound() async throws {
        try await Places.withFolder { folder in
            let container = SharedContainer(folder: folder)
            let steps = Steps()
            let installed = try await ModelImport(into: container).run(Places.phi3Tiny, sha256: sha256) {
                steps.add($0)
            }
            XCTAssertEqual(try files(container), ["model-q4_0.gguf"])
            XCTAssertEqual(try container.installedModels(), [installed])
            let bytes = UInt64(try XCTUnwrap(FileManager.default.contents(atPath: Places.phi3Tiny.path)).count)
            XCTAssertEqual(steps.all.first, .copying(done: bytes, total: bytes))
            XCTAssertTrue(steps.all.contains(.verifying(done: bytes, total: bytes)))
            guard case .preparing(let done, let total) = steps.all.last else { return XCTFail("not prepared") }
            XCTAssertEqual(done, total)
            let content = try Data(contentsOf: installed.url)
            XCTAssertNotNil(content.range(of: Data("nibble.phi3".utf8)), "it is prepared")
            _ = try await Model(contentsOf: installed.url)
            let license = try await installed.license()
            XCTAssertEqual(license, "apache-2.0")

            await assertThrows(ModelImportError.alreadyInstalled(name: "model-q4_0.gguf")) {
                _ = try await ModelImport(into: container).run(Places.phi3Tiny)
            }

            // What is prepared already is taken as it is.
            let prepared = folder.appendingPathComponent("prepared.gguf")
            try FileManager.default.moveItem(at: installed.url, to: prepared)
            let again = try await ModelImport(into: container).run(prepared)
            XCTAssertEqual(try container.installedModels(), [again])
            XCTAssertEqual(again.bytes, installed.bytes)
            try container.remove(again)
            XCTAssertEqual(try files(container), [])
        }
    }

    func testTheModelThatComesWithTheAppIsPreparedAndTakenAsItIs() async throws {
        try await Places.withFolder { folder in
            let container = SharedContainer(folder: folder)
            let bundled = Places.app.appendingPathComponent("Models/SmolLM2-135M-Instruct.Q4_1.gguf")
            let installed = try await ModelImport(into: container).run(bundled)
            XCTAssertEqual(try files(container), [bundled.lastPathComponent])
            XCTAssertTrue(FileManager.default.contentsEqual(atPath: bundled.path, andPath: installed.url.path))
            XCTAssertFalse(FileManager.default.contentsEqual(atPath: bundled.path, andPath: Places.smolLM2.path))
            _ = try await Model(contentsOf: installed.url)
        }
        let sources = Places.app.appendingPathComponent("TypingData/SOURCES.txt")
        XCTAssertTrue(try String(contentsOf: sources, encoding: .utf8).contains("SCOWL"))
    }

    func testAModelMayNameNoLicence() async throws {
        try await Places.withFolder { folder in
            var content = try Data(contentsOf: Places.phi3Tiny)
            let key = try XCTUnwrap(content.range(of: Data("general.license".utf8)))
            content.replaceSubrange(key, with: Data("general.another".utf8))
            let url = folder.appendingPathComponent("model.gguf")
            try content.write(to: url)
            let license = try await SharedContainer.InstalledModel(url: url, bytes: 0).license()
            XCTAssertNil(license)
        }
    }

    func testNothingIsLeftOfAFileThatIsNotWhole() async throws {
        try await Places.withFolder { folder in
            let container = SharedContainer(folder: folder.appendingPathComponent("group"))
            let whole = try XCTUnwrap(FileManager.default.contents(atPath: Places.phi3Tiny.path))
            let cut = folder.appendingPathComponent("cut.gguf")
            try whole.prefix(whole.count / 2).write(to: cut)
            do {
                _ = try await ModelImport(into: container).run(cut)
                XCTFail("it was imported")
            } catch NibbleError.truncated {}
            let foreign = folder.appendingPathComponent("letter.gguf")
            try Data("Dear neighbours".utf8).write(to: foreign)
            do {
                _ = try await ModelImport(into: container).run(foreign)
                XCTFail("it was imported")
            } catch NibbleError.wrongFormat {}
            var changed = whole
            changed[whole.count - 1] ^= 1
            let damaged = folder.appendingPathComponent("damaged.gguf")
            try changed.write(to: damaged)
            do {
                _ = try await ModelImport(into: container).run(damaged, sha256: sha256)
                XCTFail("it was imported")
            } catch NibbleError.checksumMismatch {}
            await assertThrows(ModelImportError.noModelName("letter.txt")) {
                _ = try await ModelImport(into: container).run(folder.appendingPathComponent("letter.txt"))
            }
            XCTAssertEqual(try files(container), [])
        }
    }

    func testWhereThereIsNoSpaceNothingIsWritten() async throws {
        try await Places.withFolder { folder in
            let container = SharedContainer(folder: folder)
            let bytes = UInt64(try XCTUnwrap(FileManager.default.contents(atPath: Places.phi3Tiny.path)).count)
            let available = ModelImport.reserve + bytes - 1
            await assertThrows(
                ModelImportError.noSpace(needed: ModelImport.reserve + bytes, available: available)
            ) {
                _ = try await ModelImport(into: container, freeSpace: { _ in available }).run(Places.phi3Tiny)
            }
            XCTAssertEqual(try files(container), [])
            XCTAssertGreaterThan(try ModelImport.freeSpace(folder), 1 << 20)
        }
    }

    func testACancelledImportLeavesNothing() async throws {
        try await Places.withFolder { folder in
            let container = SharedContainer(folder: folder)
            let steps = Steps()
            let task = Task {
                try await ModelImport(into: container).run(Places.smolLM2) { step in
                    steps.add(step)
                    // In the middle of the copy.
                    if steps.all.count == 3 { withUnsafeCurrentTask { $0?.cancel() } }
                }
            }
            do {
                _ = try await task.value
                XCTFail("it was imported")
            } catch is CancellationError {}
            XCTAssertEqual(steps.all.count, 3)
            XCTAssertEqual(try files(container), [])
            // What a killed app left is in nobody's way, and goes.
            for left in ["model-q4_0.gguf.partial", "other.gguf.partial", "other.gguf.part"] {
                try Data("half".utf8).write(to: container.models.appendingPathComponent(left))
            }
            XCTAssertEqual(try container.installedModels(), [])
            _ = try await ModelImport(into: container).run(Places.phi3Tiny)
            XCTAssertEqual(try files(container), ["model-q4_0.gguf"])
        }
    }

    func testTheDeviceDecidesAboutLargeModels() async throws {
        try await Places.withFolder { folder in
            let container = SharedContainer(folder: folder)
            XCTAssertNil(try container.model(named: nil, deviceMemory: 8 << 30))
            try FileManager.default.createDirectory(at: container.models, withIntermediateDirectories: true)
            for (name, bytes) in [("small", UInt64(90) << 20), ("middle", 300 << 20), ("large", 2300 << 20)] {
                let file = container.models.appendingPathComponent("\(name).gguf")
                _ = FileManager.default.createFile(atPath: file.path, contents: nil)
                let handle = try FileHandle(forWritingTo: file)
                // A file with a hole takes no space.
                try handle.truncate(atOffset: bytes)
                try handle.close()
            }
            func name(_ asked: String?, _ memory: UInt64) throws -> String? {
                try container.model(named: asked, deviceMemory: memory)?.url.lastPathComponent
            }
            XCTAssertEqual(try name(nil, 4 << 30), "middle.gguf")
            XCTAssertEqual(try name("small.gguf", 4 << 30), "small.gguf")
            XCTAssertEqual(try name("large.gguf", 4 << 30), "middle.gguf")
            XCTAssertEqual(try name("large.gguf", 7_900 << 20), "large.gguf")
            XCTAssertEqual(try name("gone.gguf", 4 << 30), "middle.gguf")
        }
    }

    /// Steps of progress, from any thread.
    private final class Steps: @unchecked Sendable {
        private let lock = NSLock()
        private var steps: [ModelImport.Progress] = []

        func add(_ step: ModelImport.Progress) { lock.withLock { steps.append(step) } }
        var all: [ModelImport.Progress] { lock.withLock { steps } }
    }

    private func assertThrows(_ expected: ModelImportError, _ work: () async throws -> Void) async {
        do {
            try await work()
            XCTFail("no error")
        } catch {
            XCTAssertEqual(error as? ModelImportError, expected)
        }
    }
}
