import Foundation
import Nibble
import XCTest

final class ErrorTests: XCTestCase {
    /// The error that `work` throws.
    private func error(_ work: () async throws -> Void) async -> NibbleError? {
        do {
            try await work()
            XCTFail("no error")
            return nil
        } catch let error as NibbleError {
            XCTAssertFalse(error.code.isEmpty)
            XCTAssertEqual(error.localizedDescription, error.details.message)
            return error
        } catch {
            XCTFail("another error: \(error)")
            return nil
        }
    }

    private func opening(_ url: URL, _ options: ModelOptions = ModelOptions()) async -> NibbleError? {
        await error { _ = try await Model(contentsOf: url, options: options) }
    }

    func testEveryKindOfBadFileHasItsOwnError() async throws {
        let folder = try TemporaryFolder()
        let place = { folder.url.appendingPathComponent($0) }
        let bytes = try Data(contentsOf: Places.phi3Tiny)

        guard case .notFound(let file, _) = await opening(place("absent.gguf")) else { return XCTFail() }
        XCTAssertEqual(file, place("absent.gguf").path)

        try bytes.prefix(bytes.count / 2).write(to: place("truncated.gguf"))
        guard case .truncated(let file, let needed, let available, _) = await opening(place("truncated.gguf"))
        else { return XCTFail() }
        XCTAssertEqual(file, place("truncated.gguf").path)
        XCTAssertGreaterThan(needed, available)

        try Data("This is no model, but a text.\n".utf8).write(to: place("foreign.gguf"))
        guard case .wrongFormat(_, let details) = await opening(place("foreign.gguf")) else { return XCTFail() }
        XCTAssertEqual(details.code, "not_gguf")

        guard case .io = await opening(folder.url) else { return XCTFail("a folder") }
        if getuid() != 0 {
            // Root may read everything.
            try bytes.write(to: place("forbidden.gguf"))
            try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: place("forbidden.gguf").path)
            guard case .io = await opening(place("forbidden.gguf")) else { return XCTFail("forbidden") }
        }

        guard case .memoryLimit(_, let needed, 1_000_000, _) =
            await opening(Places.smolLM2, ModelOptions(memoryLimit: 1_000_000))
        else { return XCTFail() }
        XCTAssertGreaterThan(needed, 90_000_000)
        // The limit is no obstacle where it is not reached.
        _ = try await Model(contentsOf: Places.smolLM2, options: ModelOptions(memoryLimit: needed))
    }

    func testAModelInsideAnotherFile() async throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appendingPathComponent("package")
        let bytes = try Data(contentsOf: Places.phi3Tiny)
        try (Data(count: 4096) + bytes + Data(count: 100)).write(to: file)
        let handle = try FileHandle(forReadingFrom: file)
        let model = try await Model(
            fileDescriptor: handle.fileDescriptor, offset: 4096, length: UInt64(bytes.count), name: "inside")
        try handle.close()
        XCTAssertEqual(try model.info.file, "inside")
        let options = GenerationOptions(maxTokens: 4)
        let whole = try await Model(contentsOf: Places.phi3Tiny)
        let expected = try await whole.makeSession().generate("In the", options: options).collect()
        let found = try await model.makeSession().generate("In the", options: options).collect()
        XCTAssertEqual(found, expected)

        let failure = await error {
            _ = try await Model(fileDescriptor: -1, offset: 0, length: 1, name: "none")
        }
        guard case .invalidArgument(name: "descriptor", _, _, _) = failure else { return XCTFail() }
    }

    func testABackendThatIsNotThereIsAnErrorAndTheCPUAlwaysIs() async throws {
        for found in try Backend.available where !found.isUsable {
            XCTAssertNotNil(found.remark)
            let failure = await opening(Places.phi3Tiny, ModelOptions(backend: found.backend))
            guard case .invalidArgument(name: "backend", _, _, _) = failure else { return XCTFail("\(found)") }
        }
        for backend in [Backend.cpu, .automatic] {
            let model = try await Model(contentsOf: Places.phi3Tiny, options: ModelOptions(backend: backend))
            XCTAssertEqual(try model.backend.name, "cpu")
            XCTAssertNil(try model.backend.fallback)
        }
    }

    func testWhatWasClosedSaysSo() async throws {
        let model = try await Model(contentsOf: Places.phi3Tiny)
        let session = try model.makeSession()
        let generation = try await session.begin("In the beginning")
        model.close()
        guard case .closed = await error({ _ = try model.info }) else { return XCTFail() }
        guard case .closed = await error({ _ = try model.makeSession() }) else { return XCTFail() }
        guard case .closed = await error({ _ = try TypingEngine(model: model, lexicons: []) }) else {
            return XCTFail()
        }
        // What was made with it lives on.
        let chunk = try await generation.next()
        XCTAssertNotNil(chunk)

        session.close()
        session.close()
        guard case .closed = await error({ _ = try session.tokenCount }) else { return XCTFail() }
        guard case .closed = await error({ _ = try await session.generate("In").collect() }) else {
            return XCTFail()
        }
        let last = await error { _ = try await generation.next() }
        switch last {
        case .closed, .cancelled: break
        default: XCTFail("\(String(describing: last))")
        }

        let user = try UserModel(inMemory: UserModel.Bounds())
        let engine = try TypingEngine(lexicons: [], user: user)
        let typing = try TypingSession(engine: engine)
        engine.close()
        guard case .closed = await error({ _ = try engine.suggest(EditorContext(before: "th")) }) else {
            return XCTFail()
        }
        typing.close()
        guard case .closed = await error({ _ = try typing.handle(.space) }) else { return XCTFail() }
        guard case .closed = await error({ _ = try user.wordCount }) else { return XCTFail() }
    }

    func testAnEngineKeepsWhatWasClosedAfterwards() async throws {
        let lexicon = try Lexicon(contentsOf: Places.englishLexicon)
        let emoji = try EmojiTable(contentsOf: Places.englishEmoji)
        var options = TypingEngine.Options()
        options.emoji = emoji
        options.layout = try KeyboardLayout(named: "qwerty")
        let engine = try TypingEngine(lexicons: [lexicon], options: options)
        lexicon.close()
        emoji.close()
        options.layout?.close()
        XCTAssertEqual(try engine.suggest(EditorContext(before: "tomor")).items.first?.text, "tomorrow")
        guard case .closed = await error({ _ = try lexicon.wordCount }) else { return XCTFail() }
        guard case .closed = await error({ _ = try emoji.emoji(of: "pizza") }) else { return XCTFail() }
        guard case .closed = await error({ _ = try options.layout?.name }) else { return XCTFail() }
        guard case .closed = await error({ _ = try TypingEngine(lexicons: [lexicon]) }) else { return XCTFail() }
    }

    func testClosingASessionWhileItWorks() async throws {
        let model = try await Model(contentsOf: Places.smolLM2)
        let session = try model.makeSession()
        let task = Task { try await session.generate(longPrompt).collect() }
        try await Task.sleep(for: .milliseconds(100))
        session.close()
        do {
            _ = try await task.value
            XCTFail("it went on to the end")
        } catch NibbleError.cancelled {} catch NibbleError.closed {}
    }

    func testASecondTaskOnOneSessionIsToldAndDoesNotWait() async throws {
        let model = try await Model(contentsOf: Places.smolLM2)
        let session = try model.makeSession()
        let first = Task { try await session.generate(longPrompt).collect() }
        // Until the first is at work.
        while (try? session.tokenCount) != nil { try await Task.sleep(for: .milliseconds(1)) }
        guard case .busy = await error({ _ = try session.tokenCount }) else { return XCTFail() }
        guard case .busy = await error({ try session.truncate(to: 0) }) else { return XCTFail() }
        guard case .busy = await error({ _ = try await session.begin("In") }) else { return XCTFail() }
        first.cancel()
        _ = try await first.value
    }

    func testArgumentsOutsideTheirRange() async throws {
        let model = try await Model(contentsOf: Places.phi3Tiny)
        let session = try model.makeSession(options: SessionOptions(context: 16))
        guard case .invalidArgument(name: "max_tokens", _, found: "-1", _) =
            await error({
                _ = try await session.generate("In", options: GenerationOptions(maxTokens: -1)).collect()
            })
        else { return XCTFail() }
        let full = await error { _ = try await session.generate(longPrompt).collect() }
        guard case .contextFull(let needed, let available, _) = full else {
            return XCTFail("\(String(describing: full))")
        }
        XCTAssertGreaterThan(needed, available)
    }
}
