#if os(Linux)
    import Nibble
    import XCTest

    /// Memory must come back when objects are closed, and when they are merely forgotten.
    final class LifetimeTests: XCTestCase {
        private func cycle(_ url: URL, closing: Bool) async throws {
            let model = try await Model(contentsOf: url)
            let session = try model.makeSession()
            let options = GenerationOptions(maxTokens: 2)
            for try await _ in session.generate("In the beginning", options: options) {}
            if closing {
                session.close()
                model.close()
            }
        }

        func testAThousandCyclesOfASmallModel() async throws {
            for number in 0..<100 { try await cycle(Places.phi3Tiny, closing: number % 2 == 0) }
            let before = try anonymousMemory()
            for number in 0..<1000 { try await cycle(Places.phi3Tiny, closing: number % 2 == 0) }
            let growth = try anonymousMemory() - before
            print("1,000 cycles of phi3-tiny: \(growth / 1024) KiB more")
            XCTAssertLessThan(growth, 4 << 20)
        }

        func testTwentyCyclesOfTheRealModel() async throws {
            for number in 0..<3 { try await cycle(Places.smolLM2, closing: number % 2 == 0) }
            let before = try anonymousMemory()
            for number in 0..<20 { try await cycle(Places.smolLM2, closing: number % 2 == 0) }
            let growth = try anonymousMemory() - before
            print("20 cycles of SmolLM2-135M: \(growth / 1024) KiB more")
            // Its tokenizer alone takes more than this.
            XCTAssertLessThan(growth, 8 << 20)
        }

        func testEnginesAndControllersGoAwayToo() async throws {
            let lexicon = try Lexicon(contentsOf: Places.englishLexicon)
            let cycle = {
                let engine = try TypingEngine(lexicons: [lexicon], user: try UserModel(inMemory: UserModel.Bounds()))
                let typing = try TypingSession(engine: engine)
                _ = try typing.handle(.focus(FieldFocus()))
                _ = try typing.handle(.character("t"))
            }
            for _ in 0..<5 { try cycle() }
            let before = try anonymousMemory()
            for _ in 0..<30 { try cycle() }
            let growth = try anonymousMemory() - before
            print("30 cycles of an engine without a model: \(growth / 1024) KiB more")
            XCTAssertLessThan(growth, 8 << 20)
        }
    }
#endif
