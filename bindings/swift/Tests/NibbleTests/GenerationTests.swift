import Foundation
import Nibble
import XCTest

final class GenerationTests: XCTestCase {
    func testTheStreamEqualsTheCommand() async throws {
        let model = try await Model(contentsOf: Places.smolLM2)
        let prompts = [
            ("Dear neighbours,", 40), ("The capital of France is", 24), ("Naïve café owners say: 🙂", 32),
        ]
        for (prompt, maxTokens) in prompts {
            let json = try JSONValue(
                parsing: try Command.nibble([
                    "--json", "generate", Places.smolLM2.path, "--prompt", prompt, "--max-tokens",
                    "\(maxTokens)",
                ]))
            let session = try model.makeSession()
            let all = try await session.generate(prompt, options: GenerationOptions(maxTokens: maxTokens)).collect()
            XCTAssertEqual(.string(all.text), json["text"], prompt)
            XCTAssertEqual(.array(all.tokens.map { .of($0) }), json["ids"], prompt)
            XCTAssertFalse(all.tokens.isEmpty, prompt)
            XCTAssertNotNil(all.stopReason, prompt)
        }
    }

    func testTheLastChunkSaysWhyAndCountsAgree() async throws {
        let model = try await Model(contentsOf: Places.phi3Tiny)
        let session = try model.makeSession()
        let options = GenerationOptions(maxTokens: 5, stopsAtEndOfText: false)
        let generation = try await session.begin("In the beginning", options: options)
        var chunks: [Chunk] = []
        while let chunk = try await generation.next() { chunks.append(chunk) }

        XCTAssertEqual(chunks.last?.stopReason, .maxTokens)
        XCTAssertTrue(chunks.dropLast().allSatisfy { $0.stopReason == nil })
        XCTAssertEqual(chunks.last?.generatedTokens, 5)
        let after = try await generation.next()
        XCTAssertNil(after)
        let stats = try generation.stats
        XCTAssertEqual(stats.generatedTokens, 5)
        XCTAssertEqual(stats.promptTokens, try model.encode("In the beginning").count)
        XCTAssertGreaterThan(stats.firstTokenTime, .zero)
        XCTAssertGreaterThan(stats.decodeTokensPerSecond, 0)
        XCTAssertGreaterThanOrEqual(try session.tokenCount, stats.promptTokens)
    }

    func testASeedGivesTheSameTextAndAStopStringEndsIt() async throws {
        let model = try await Model(contentsOf: Places.smolLM2)
        let prompt = "Once upon a time there was"
        let sampled = GenerationOptions(maxTokens: 12, temperature: 0.9, topK: 40, seed: 7)
        let first = try await model.makeSession().generate(prompt, options: sampled).collect()
        let second = try await model.makeSession().generate(prompt, options: sampled).collect()
        XCTAssertEqual(first, second)

        let greedy = try await model.makeSession().generate(prompt, options: GenerationOptions(maxTokens: 12))
            .collect()
        XCTAssertNotEqual(first.tokens, greedy.tokens)
        let word = try XCTUnwrap(greedy.text.split(separator: " ").dropFirst(2).first.map(String.init))
        let stopped = try await model.makeSession()
            .generate(prompt, options: GenerationOptions(maxTokens: 12, stop: [word])).collect()
        XCTAssertEqual(stopped.stopReason, .stopString)
        XCTAssertEqual(stopped.text, greedy.text.components(separatedBy: word).first)
    }

    func testGuessesChangeNothing() async throws {
        let model = try await Model(contentsOf: Places.smolLM2)
        let prompt = "Flour 500 g, butter 250 g. Flour 500 g,"
        for temperature in [0, 0.8] as [Float] {
            var options = GenerationOptions(maxTokens: 24, temperature: temperature, seed: 3)
            let plain = try await model.makeSession().generate(prompt, options: options).collect()
            options.promptLookup = 7
            let guessed = try await model.makeSession().generate(prompt, options: options).collect()
            XCTAssertEqual(guessed, plain)
        }
        do {
            _ = try await model.makeSession().generate(prompt, options: GenerationOptions(promptLookup: 32)).collect()
            XCTFail("so many cannot be guessed")
        } catch NibbleError.invalidArgument {}
    }

    func testWhatATextSharesWithTheOneBeforeIsNotComputedAgain() async throws {
        let model = try await Model(contentsOf: Places.phi3Tiny)
        let session = try model.makeSession()
        let options = GenerationOptions(maxTokens: 1)
        _ = try await session.generate("In the beginning God created", options: options).collect()
        let again = try await session.begin("In the beginning God created the heaven", options: options)
        _ = try await again.chunks.collect()
        XCTAssertGreaterThanOrEqual(
            try again.stats.reusedTokens, try model.encode("In the beginning God created").count - 1)

        let fork = try session.fork()
        XCTAssertEqual(try fork.tokenCount, try session.tokenCount)
        try session.truncate(to: 0)
        XCTAssertEqual(try session.tokenCount, 0)
        XCTAssertGreaterThan(try fork.tokenCount, 0)
    }

    func testFiftySessionsOfOneModelAtOnce() async throws {
        let model = try await Model(contentsOf: Places.smolLM2)
        let options = GenerationOptions(maxTokens: 16)
        let prompts = ["I'll be there in", "The best thing about winter is"]
        var alone: [Generated] = []
        for prompt in prompts {
            alone.append(try await model.makeSession().generate(prompt, options: options).collect())
        }
        XCTAssertNotEqual(alone[0], alone[1])
        try await withThrowingTaskGroup(of: (Int, Generated).self) { group in
            for number in 0..<50 {
                group.addTask {
                    let session = try model.makeSession()
                    let prompt = prompts[number % prompts.count]
                    return (number, try await session.generate(prompt, options: options).collect())
                }
            }
            var count = 0
            for try await (number, generated) in group {
                XCTAssertEqual(generated, alone[number % prompts.count], "session \(number)")
                count += 1
            }
            XCTAssertEqual(count, 50)
        }
    }

    func testTokensThereAndBack() async throws {
        let model = try await Model(contentsOf: Places.smolLM2)
        let text = "Two naïve cafés 🙂"
        XCTAssertEqual(try model.decode(model.encode(text)), text)
        XCTAssertEqual(try model.encode("<|im_end|>", parsingSpecialTokens: true).count, 1)
        XCTAssertGreaterThan(try model.encode("<|im_end|>").count, 1)
        XCTAssertEqual(try model.info.architecture, "llama")
        XCTAssertEqual(try model.info.layers, 30)
    }
}
