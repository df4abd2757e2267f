import Foundation
import Nibble
import XCTest

@testable import NibbleKeyboardAdapter

final class AppTests: XCTestCase, @unchecked Sendable {
    func testPreferencesAreReadAsTheyWereWritten() async throws {
        try await Places.withFolder { folder in
            let file = SharedContainer(folder: folder.appendingPathComponent("new")).preferences
            XCTAssertEqual(try Preferences.read(from: file), Preferences())
            let preferences = Preferences(
                layout: "qwertz", languages: ["de", "en"], correction: .cautious, slots: 4,
                suggestsOffensiveWords: true, model: "other.gguf")
            try preferences.write(to: file)
            XCTAssertEqual(try Preferences.read(from: file), preferences)
            try Data("{".utf8).write(to: file)
            XCTAssertThrowsError(try Preferences.read(from: file)) { XCTAssertTrue($0 is DecodingError) }
        }
        XCTAssertEqual(Preferences(languages: ["de"]).keyboardSettings.language, "de")
        XCTAssertFalse(Preferences(correction: .off).keyboardSettings.autocorrects)
        XCTAssertGreaterThan(
            CorrectionStrength.cautious.thresholds.known, CorrectionStrength.normal.thresholds.known)
    }

    func testAnEngineOfSeveralLanguagesLearnsInItsOwnContainer() async throws {
        try await Places.withFolder { folder in
            let words = folder.appendingPathComponent("own/learned-words")
            var preferences = Preferences(languages: ["en", "tlh"])
            preferences.slots = 2
            let engine = try KeyboardEngine.make(
                preferences: preferences, lexicons: Places.lexicons, user: try KeyboardEngine.learnedWords(at: words))
            XCTAssertEqual(try engine.suggest(EditorContext(before: "tomor")).items.first?.text, "tomorrow")
            XCTAssertLessThanOrEqual(try engine.suggest(EditorContext(before: "to")).items.count, 2)
            for _ in 0..<3 { try engine.commit("Zwischenbergen", after: "to ") }
            // A second process of the keyboard works and learns nothing.
            let second = try KeyboardEngine.make(
                preferences: preferences, lexicons: Places.lexicons, user: try KeyboardEngine.learnedWords(at: words))
            XCTAssertEqual(try second.suggest(EditorContext(before: "tomor")).items.first?.text, "tomorrow")
            engine.close()
            second.close()
            let again = try KeyboardEngine.make(
                preferences: preferences, lexicons: Places.lexicons, user: try KeyboardEngine.learnedWords(at: words))
            XCTAssertEqual(
                try again.suggest(EditorContext(before: "Zwischenb")).items.first?.text, "Zwischenbergen")
        }
    }

    func testKeystrokesAreCounted() {
        var count = KeystrokeCount()
        XCTAssertNil(count.saved)
        count.typed(from: "", to: "h")
        count.typed(from: "h", to: "he")
        count.accepted("hello ")
        XCTAssertEqual(count.keys, 3)
        XCTAssertEqual(try XCTUnwrap(count.saved), 0.5, accuracy: 1e-9)
        count.typed(from: "hello ", to: "hello")
        count.typed(from: "hello", to: "hallo")
        XCTAssertEqual(count.keys, 6)
        XCTAssertEqual(count.characters, 5)
    }

    @MainActor
    func testThePlaygroundShowsWhatTheModelSaves() async throws {
        let engine = try TypingEngine(
            model: try await Model(contentsOf: Places.smolLM2),
            lexicons: [try Lexicon(contentsOf: Places.englishLexicon)])
        try await engine.waitUntilIdle()
        let playground = Playground(engine: engine)
        var changes = 0
        playground.onChange = { changes += 1 }
        for end in ["C", "Co", "Cou", "Coul", "Could you please send me the rep"] { try await playground.type(end) }
        let report = try XCTUnwrap(playground.suggestions.first { $0.text == "report" })
        try await playground.accept(report)
        XCTAssertEqual(playground.text, "Could you please send me the report ")
        XCTAssertGreaterThan(changes, 6)
        XCTAssertEqual(playground.count.keys, 33)
        XCTAssertEqual(try XCTUnwrap(playground.count.saved), 1 - 33.0 / 36, accuracy: 1e-9)
        XCTAssertGreaterThan(try engine.stats.passes, 0)
        XCTAssertNotNil(try engine.stats.suggestP95)
        // One that is not shown any more does nothing.
        try await playground.accept(report)
        XCTAssertEqual(playground.text, "Could you please send me the report ")
        playground.clear()
        XCTAssertNil(playground.count.saved)
    }

    func testTheStripSaysWhatATapDoes() throws {
        let controller = try KeyboardController()
        _ = try controller.handle(.focus(FieldFocus()), at: .zero)
        for key in "teh" { _ = try controller.handle(.character(String(key)), at: .milliseconds(100)) }
        let items = [
            Suggestion(text: "the", kind: .correction, replace: 3, isAutomatic: true),
            Suggestion(text: "🙂", kind: .emoji, replace: 3),
        ]
        let actions = try controller.handle(
            .answer(Suggestions(epoch: try controller.epoch, items: items, isFresh: true)),
            at: .milliseconds(200))
        var strip = SuggestionStrip()
        for case .showStrip(let shown) in actions { strip.show(shown) }
        XCTAssertEqual(strip.slots.map(\.text), ["“Teh”", "The", "🙂"])
        XCTAssertEqual(strip.slots.map(\.isHighlighted), [false, true, false])
        XCTAssertEqual(
            strip.slots.map(\.accessibilityLabel), ["keep Teh", "will become The", "slightly smiling face"])
    }

    func testAHeldBackspaceRepeatsFasterAndFaster() {
        let delays = (0...20).map(BackspaceRepeat.delay)
        XCTAssertEqual(delays, delays.sorted(by: >))
        XCTAssertGreaterThan(delays[0], delays[1])
    }

    func testTimeIsSpentOnlyWhereSomethingIsDue() {
        var timer = TypingTimer()
        XCTAssertNil(timer.next(awaitsModel: true, hasGhost: false))
        timer.touched(at: .seconds(10))
        XCTAssertEqual(timer.next(awaitsModel: true, hasGhost: false), .seconds(10))
        XCTAssertTrue(timer.takePoll(at: .seconds(10)))
        XCTAssertEqual(
            timer.next(awaitsModel: true, hasGhost: false), .seconds(10) + TypingTimer.pollInterval)
        XCTAssertFalse(timer.takeForesee(at: .seconds(10)))
        XCTAssertEqual(
            timer.next(awaitsModel: false, hasGhost: false), .seconds(10) + TypingTimer.foreseeDelay)
        XCTAssertEqual(timer.next(awaitsModel: false, hasGhost: true), .seconds(11))
        XCTAssertTrue(timer.takeIdle(at: .seconds(11)))
        XCTAssertFalse(timer.takeIdle(at: .seconds(12)))
        for look in 0..<TypingTimer.foreseeLimit { XCTAssertTrue(timer.takeForesee(at: .seconds(20 + look))) }
        XCTAssertFalse(timer.takeForesee(at: .seconds(99)))
        XCTAssertNil(timer.next(awaitsModel: false, hasGhost: false))
    }
}
