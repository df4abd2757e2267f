import Foundation
import Nibble
import XCTest

@testable import NibbleKeyboardAdapter

final class TypingTests: XCTestCase, @unchecked Sendable {
    /// A keyboard at a field whose changes are seen when the next key is pressed, with fingers that hit keys.
    @MainActor
    private final class Fingers {
        let keyboard: KeyboardModel
        let document: FakeTextDocument
        private let layout: KeyboardLayout
        private(set) var time = Duration.zero
        /// Between two keys.
        var interval = Duration.milliseconds(120)
        private(set) var keys = 0
        private(set) var accepted = 0
        private(set) var undone = 0
        private(set) var errors: [any Error] = []

        init(_ engine: TypingEngine, layout: String = "qwerty", document: FakeTextDocument) throws {
            keyboard = try KeyboardModel(engine: engine)
            self.document = document
            self.layout = try KeyboardLayout(named: layout)
            document.reportsEachCall = true
            keyboard.onError = { [weak self] in self?.errors.append($0) }
            keyboard.appear(document, at: time)
        }

        private func plane() throws -> KeyboardPlane {
            try KeyboardPlane(
                keyboard.page, of: layout, size: CGSize(width: 390, height: 216), hasNextKeyboardKey: true)
        }

        /// Touches the centre of the key that does this.
        func touch(_ action: KeyboardKey.Action) throws {
            pass(interval)
            let plane = try plane()
            let frame = try XCTUnwrap(plane.keys.first { $0.action == action }, "\(action) on \(plane.page)").frame
            let centre = CGPoint(x: frame.midX, y: frame.midY)
            let key = try XCTUnwrap(plane.key(at: centre))
            keyboard.press(key, tap: plane.tap(at: centre, on: key), at: time)
            if action != .shift && action != .showPage(keyboard.page) { keys += 1 }
        }

        /// Time goes by: what the field reported is seen, and what is due is done.
        func pass(_ duration: Duration) {
            while document.showNext() { keyboard.documentDidChange(at: time) }
            let end = time + duration
            while let due = keyboard.nextTick, due <= end {
                time = max(time, due)
                keyboard.tick(at: time)
                // The model thinks in real time.
                if keyboard.awaitsModel { break }
            }
            time = end
        }

        /// Until the model was heard.
        func think() async throws {
            while keyboard.awaitsModel {
                try await Task.sleep(for: .milliseconds(1))
                time += .milliseconds(8)
                // However long the model thinks, the field has reported by then.
                while document.showNext() { keyboard.documentDidChange(at: time) }
                keyboard.tick(at: time)
            }
        }

        /// Types a character with whatever keys that takes.
        func type(_ character: Character) throws {
            let text = String(character)
            if text == " " { return try touch(.space) }
            let lower = text.lowercased()
            if try !plane().keys.contains(where: { $0.action == .character(lower) }) {
                try touch(.showPage(keyboard.page == .letters ? .symbols : .letters))
            }
            if character.isLetter, (keyboard.shift != .off) != (lower != text) { try touch(.shift) }
            try touch(.character(lower))
        }

        /// Types a text and accepts each suggestion as soon as it is shown.
        func type(_ target: String, accepting: Bool) async throws {
            for _ in 0..<target.count * 3 where document.state.before != target {
                if accepting { try await think() }
                let typed = document.state.before
                if target.hasPrefix(typed) {
                    let start = typed.lastIndex(of: " ").map { typed.index(after: $0) } ?? typed.startIndex
                    let word = target.dropFirst(typed[..<start].count).prefix { $0.isLetter || $0 == "'" }
                    if accepting, word.count > typed[start...].count,
                        let slot = keyboard.strip.slots.first(where: { $0.text == word })
                    {
                        pass(interval)
                        keyboard.tap(slot, at: time)
                        keys += 1
                        accepted += 1
                    } else {
                        try type(target[target.index(target.startIndex, offsetBy: typed.count)])
                    }
                } else if typed.hasSuffix(" "), target.hasPrefix(typed.dropLast()), target.count >= typed.count {
                    // The space behind an accepted word, where a comma or the like follows.
                    try type(target[target.index(target.startIndex, offsetBy: typed.count - 1)])
                } else {
                    try touch(.backspace)
                    undone += 1
                }
            }
            pass(.seconds(3))
        }
    }

    private static let paragraph =
        "Thank you for your help yesterday. I will be there in a few minutes, but I don't think we need to "
        + "wait for everyone. Could you please send me the report when you have time? Let me know if "
        + "anything else comes up, and I hope you have a great weekend."

    private func lexicon() throws -> Lexicon {
        try Lexicon(contentsOf: Places.englishLexicon)
    }

    @MainActor
    func testAParagraphWithTheModelAndItsSuggestions() async throws {
        let model = try await Model(contentsOf: Places.smolLM2)
        let engine = try TypingEngine(model: model, lexicons: [try lexicon()])
        try await engine.waitUntilIdle()
        let fingers = try Fingers(engine, document: FakeTextDocument())
        try await fingers.type(Self.paragraph, accepting: true)
        XCTAssertEqual(fingers.document.state.before, Self.paragraph)
        XCTAssertGreaterThan(fingers.accepted, 20)
        XCTAssertTrue(fingers.errors.isEmpty, "\(fingers.errors)")
        let saved = 1 - Double(fingers.keys) / Double(Self.paragraph.count)
        XCTAssertGreaterThan(saved, 0.4)
        XCTAssertGreaterThan(try engine.stats.passes, 20)
        print(
            "\(Self.paragraph.count) characters, \(fingers.keys) keys, saved",
            "\((saved * 1000).rounded() / 10) %, \(fingers.accepted) accepted, \(fingers.undone) undone")
    }

    @MainActor
    func testAParagraphByLettersAlone() async throws {
        for layout in ["qwerty", "qwertz", "azerty"] {
            let engine = try TypingEngine(lexicons: [try lexicon()])
            let fingers = try Fingers(engine, layout: layout, document: FakeTextDocument())
            try await fingers.type(Self.paragraph, accepting: false)
            XCTAssertEqual(fingers.document.state.before, Self.paragraph, layout)
        }
    }

    /// Faster than a field settles: no key is lost, and none waits for the field or the model.
    @MainActor
    func testTwentyKeysASecondLoseNothing() async throws {
        let engine = try TypingEngine(
            model: try await Model(contentsOf: Places.smolLM2), lexicons: [try lexicon()])
        let fingers = try Fingers(engine, document: FakeTextDocument())
        fingers.interval = .milliseconds(50)
        for sentence in [Self.paragraph, " " + Self.paragraph] {
            for character in sentence { try fingers.type(character) }
        }
        XCTAssertEqual(fingers.document.state.before, Self.paragraph + " " + Self.paragraph)
        fingers.pass(.seconds(3))
        XCTAssertTrue(fingers.errors.isEmpty, "\(fingers.errors)")
    }

    @MainActor
    func testGhostTextIsForeseenInThePauseAndAccepted() async throws {
        let engine = try TypingEngine(
            model: try await Model(contentsOf: Places.smolLM2), lexicons: [try lexicon()])
        try await engine.waitUntilIdle()
        let fingers = try Fingers(engine, document: FakeTextDocument())
        let typed = "Thank you for your help. I look forward to hear"
        for character in typed { try fingers.type(character) }
        try await fingers.think()
        for _ in 0..<TypingTimer.foreseeLimit where fingers.keyboard.strip.ghost.isEmpty {
            try await Task.sleep(for: .milliseconds(60))
            fingers.pass(.milliseconds(60))
            try await engine.waitUntilIdle()
        }
        let ghost = fingers.keyboard.strip.ghost
        XCTAssertTrue(ghost.hasPrefix("ing"), ghost)
        XCTAssertTrue(fingers.keyboard.strip.ghostAccessibilityLabel.hasSuffix(ghost))
        fingers.keyboard.acceptGhost(.all, at: fingers.time)
        XCTAssertEqual(fingers.document.state.before.trimmingCharacters(in: .whitespaces), typed + ghost)
    }

    @MainActor
    func testASecretIsTypedAndTheEngineKnowsNothing() async throws {
        let engine = try TypingEngine(
            model: try await Model(contentsOf: Places.smolLM2), lexicons: [try lexicon()],
            user: try UserModel(inMemory: UserModel.Bounds()))
        try await engine.waitUntilIdle()
        let before = try engine.stats
        let document = FakeTextDocument("", traits: TextInputTraits(isSecureTextEntry: true))
        let fingers = try Fingers(engine, document: document)
        for character in "Hunter two" { try fingers.type(character) }
        fingers.pass(.seconds(5))
        try await engine.waitUntilIdle()
        XCTAssertEqual(document.state.before.lowercased(), "hunter two")
        XCTAssertEqual(document.looks, 0)
        XCTAssertEqual(fingers.keyboard.strip.slots, [])
        XCTAssertEqual(fingers.keyboard.strip.ghost, "")
        XCTAssertEqual(try engine.stats.passes, before.passes)
    }

    @MainActor
    func testNothingIsDueWhenAKeyboardIsGone() async throws {
        let fingers = try Fingers(try TypingEngine(lexicons: [try lexicon()]), document: FakeTextDocument())
        for character in "hello" { try fingers.type(character) }
        XCTAssertNotNil(fingers.keyboard.nextTick)
        XCTAssertFalse(fingers.keyboard.strip.slots.isEmpty)
        fingers.pass(.seconds(5))
        XCTAssertNil(fingers.keyboard.nextTick)
        fingers.keyboard.disappear(at: fingers.time)
        XCTAssertNil(fingers.keyboard.nextTick)
        XCTAssertEqual(fingers.keyboard.strip, SuggestionStrip())
    }
}
