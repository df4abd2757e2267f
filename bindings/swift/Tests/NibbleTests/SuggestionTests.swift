import Foundation
import Nibble
import XCTest

final class SuggestionTests: XCTestCase {
    private let sentences = [
        "I will be there in a few minutes", "Thank you for your help yesterday",
        "Could you please send me the report", "Happy birthday! I hope you have a wonderful day",
        "See you tomorrpw at the ststion", "Don't forget to buy milk and eggs", "I love pizza and coffee",
        "what time does the meeting start",
    ]

    /// Texts as they are while the sentences are typed: inside words, at their ends, and behind them.
    private var contexts: [String] {
        sentences.flatMap { sentence in
            stride(from: 2, through: sentence.count, by: 4).map { String(sentence.prefix($0)) } + [sentence + " "]
        }
    }

    private func engine(_ model: Model?) throws -> TypingEngine {
        var options = TypingEngine.Options()
        options.emoji = try EmojiTable(contentsOf: Places.englishEmoji)
        return try TypingEngine(
            model: model, lexicons: [try Lexicon(contentsOf: Places.englishLexicon)],
            user: try UserModel(inMemory: UserModel.Bounds()), options: options)
    }

    func testSuggestionsEqualTheCommand() async throws {
        XCTAssertGreaterThan(contexts.count, 60)
        var lines = contexts.map { context in
            JSONValue.object(["before": .string(context), "wait": .bool(true)])
        }
        // Words that are taught half way make a difference from there on.
        let half = lines.count / 2
        lines.insert(.object(["commit": .string("Zwischenbergen")]), at: half)
        let lexicon = Places.englishLexicon.path
        let output = try Command.nibble(
            ["suggest", "--stdio", "--model", Places.smolLM2.path, "--lexicon", lexicon],
            input: lines.map(\.text).joined(separator: "\n") + "\n")
        let replies = try output.split(separator: "\n").map { try JSONValue(parsing: String($0)) }
        XCTAssertEqual(replies.count, lines.count)

        let engine = try engine(try await Model(contentsOf: Places.smolLM2))
        try await engine.waitUntilIdle()
        for (line, reply) in zip(lines, replies) {
            if let word = line["commit"]?.string {
                try engine.commit(word)
                continue
            }
            let before = line["before"]?.string ?? ""
            let answer = try await engine.freshSuggestions(for: EditorContext(before: before), timeout: .seconds(60))
            XCTAssertEqual(.bool(answer.isFresh), reply["fresh"], before)
            let found = strip(answer, before).map { item in
                JSONValue.object([
                    "text": .string(item.text), "kind": .string(item.kind.wireName), "score": .of(item.score),
                    "replace": .of(item.replace),
                ])
            }
            let expected = (reply["suggestions"]?.array ?? []).map(\.withSinglePrecisionScore)
            XCTAssertEqual(found, expected, before)
        }
    }

    /// What the command shows of an answer: where a correction is pending it has a place among the three, and the word
    /// as typed follows.
    private func strip(_ answer: Suggestions, _ before: String) -> [Suggestion] {
        var shown = Array(answer.items.prefix(3))
        guard let pending = answer.items.first(where: \.isAutomatic), pending.score >= log(0.02) else { return shown }
        if !shown.contains(pending) { shown[2] = pending }
        let typed = String(Array(before.unicodeScalars).suffix(pending.replace)[...])
        return shown + [Suggestion(text: typed, kind: .typed, score: pending.score, replace: pending.replace)]
    }

    func testLexiconsAnswerAtOnceAndTheModelLater() async throws {
        let engine = try engine(try await Model(contentsOf: Places.smolLM2))
        let context = EditorContext(before: "Could you please send me the rep", epoch: 9)
        let first = try engine.suggest(context)
        XCTAssertEqual(first.epoch, 9)
        XCTAssertFalse(first.items.isEmpty)
        let fresh = try await engine.freshSuggestions(for: context, timeout: .seconds(60))
        XCTAssertTrue(fresh.isFresh)
        XCTAssertEqual(fresh.items.first?.text, "report")
        XCTAssertEqual(fresh.items.first?.replace, 3)
        XCTAssertEqual(fresh.items.first?.kind, .completion)
        XCTAssertEqual(try engine.modelState, .ready)
        XCTAssertGreaterThan(try engine.stats.passes, 0)
        XCTAssertNotNil(try engine.stats.passP50)
    }

    func testWithoutAModelNothingIsWaitedFor() async throws {
        let engine = try engine(nil)
        // A test that waits for it does not end.
        let answer = try await engine.freshSuggestions(for: EditorContext(before: "tomor"), timeout: .seconds(36_000))
        XCTAssertFalse(answer.isFresh)
        XCTAssertEqual(answer.items.first?.text, "tomorrow")
        XCTAssertEqual(try engine.modelState, .absent)
    }

    func testWaitingEndsWithTheTask() async throws {
        let engine = try engine(try await Model(contentsOf: Places.smolLM2))
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await engine.freshSuggestions(for: EditorContext(before: longPrompt))
        }
        do {
            _ = try await task.value
            XCTFail("it waited")
        } catch is CancellationError {}
    }

    func testMemoryPressureTakesTheModelAndGivesItBack() async throws {
        let engine = try engine(try await Model(contentsOf: Places.smolLM2))
        try await engine.waitUntilIdle()
        let context = EditorContext(before: "I'll be there in ")
        let before = try await engine.freshSuggestions(for: context, timeout: .seconds(60))
        XCTAssertTrue(before.isFresh)

        try engine.handleMemoryPressure(.warning)
        XCTAssertEqual(try engine.modelState, .ready)
        try engine.handleMemoryPressure(.critical)
        XCTAssertEqual(try engine.modelState, .absent)
        XCTAssertFalse(try engine.suggest(EditorContext(before: "tomor")).items.isEmpty)

        try engine.handleMemoryPressure(.normal)
        let after = try await engine.freshSuggestions(for: context, timeout: .seconds(60))
        XCTAssertEqual(after, before)
        // A model that was taken away on purpose does not come back by itself.
        try engine.setModel(nil)
        try engine.handleMemoryPressure(.normal)
        XCTAssertEqual(try engine.modelState, .absent)
    }

    func testTapsDecideBetweenNeighbours() throws {
        let engine = try engine(nil)
        let layout = try KeyboardLayout(named: "qwerty")
        let taps = try "gello".map { letter in
            let key = try layout.keys(on: .letters).first { $0.action == .character(String(letter)) }
            return Tap(x: try XCTUnwrap(key).x, y: try XCTUnwrap(key).y)
        }
        var towardsH = taps
        towardsH[0].x += 0.45
        let context = EditorContext(before: "gello")
        let sure = try XCTUnwrap(engine.suggest(context, taps: taps).items.first { $0.text == "hello" })
        let unsure = try XCTUnwrap(engine.suggest(context, taps: towardsH).items.first { $0.text == "hello" })
        XCTAssertGreaterThan(unsure.score, sure.score)
    }

    func testNothingIsSuggestedOrLearnedInAPassword() throws {
        let user = try UserModel(inMemory: UserModel.Bounds())
        let engine = try TypingEngine(lexicons: [try Lexicon(contentsOf: Places.englishLexicon)], user: user)
        try engine.focus(.password)
        XCTAssertEqual(try engine.suggest(EditorContext(before: "tomor", field: .password)).items, [])
        try engine.commit("hunter2")
        XCTAssertEqual(try user.wordCount, 0)
    }
}

extension JSONValue {
    /// The score as the engine holds it.
    fileprivate var withSinglePrecisionScore: JSONValue {
        guard case .object(var members) = self, let score = members["score"]?.double else { return self }
        members["score"] = .of(Float(score))
        return .object(members)
    }
}
