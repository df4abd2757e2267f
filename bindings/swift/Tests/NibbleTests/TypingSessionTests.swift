import Nibble
import XCTest

final class TypingSessionTests: XCTestCase {
    /// A keyboard with a field in memory.
    private struct Keyboard {
        let session: TypingSession
        var field = InMemoryTextField("", reporting: InMemoryTextField.Reporting())
        var strip: Strip?
        var ghost = ""
        var time = 0

        init(_ engine: TypingEngine) throws {
            session = try TypingSession(engine: engine)
            try press(.focus(FieldFocus(unit: .scalar)))
        }

        mutating func press(_ event: KeyboardEvent) throws {
            time += 100
            carryOut(try session.handle(event, at: .milliseconds(time)))
        }

        mutating func type(_ text: String) throws {
            for key in text {
                try press(key == " " ? .space : .character(String(key)))
                while let report = field.nextReport() { try press(.editor(report)) }
            }
        }

        mutating func carryOut(_ actions: [KeyboardAction]) {
            field.apply(actions)
            for action in actions {
                switch action {
                case .showStrip(let new): strip = new
                case .showGhost(let text): ghost = text
                case .request, .notify: XCTFail("\(action) belongs to the engine")
                default: break
                }
            }
        }

        /// Until the model was heard.
        mutating func settle() async throws {
            while try session.awaitsModel {
                try await Task.sleep(for: .milliseconds(2))
                carryOut(try session.poll(at: .milliseconds(time)))
            }
        }
    }

    private func engine(_ model: Model?) throws -> TypingEngine {
        try TypingEngine(
            model: model, lexicons: [try Lexicon(contentsOf: Places.englishLexicon)],
            user: try UserModel(inMemory: UserModel.Bounds()))
    }

    func testTypingCorrectingAndTakingBack() throws {
        var keyboard = try Keyboard(try engine(nil))
        try keyboard.type("i saw teh ")
        XCTAssertEqual(keyboard.field.before, "I saw the ")
        try keyboard.press(.backspace)
        XCTAssertEqual(keyboard.field.before, "I saw teh ")
        XCTAssertEqual(try keyboard.session.mirror.before, "I saw teh ")
        XCTAssertFalse(try keyboard.session.isUnsure)
        try keyboard.session.checkLearning()
    }

    func testTheModelsWordIsTapped() async throws {
        let engine = try engine(try await Model(contentsOf: Places.smolLM2))
        try await engine.waitUntilIdle()
        var keyboard = try Keyboard(engine)
        try keyboard.type("could you please send me the rep")
        try await keyboard.settle()
        let strip = try XCTUnwrap(keyboard.strip)
        let slot = try XCTUnwrap(strip.slots.firstIndex { $0.text == "report" })
        try keyboard.press(.tapSuggestion(strip: strip.serial, slot: slot))
        XCTAssertEqual(keyboard.field.before, "Could you please send me the report ")
    }

    func testGhostTextAppearsAndIsAccepted() async throws {
        let engine = try engine(try await Model(contentsOf: Places.smolLM2))
        try await engine.waitUntilIdle()
        var keyboard = try Keyboard(engine)
        try keyboard.type("thank you for your help. I look forward to hear")
        try await keyboard.settle()
        for _ in 0..<1000 where keyboard.ghost.isEmpty {
            keyboard.carryOut(try keyboard.session.foresee(at: .milliseconds(keyboard.time)))
            try await Task.sleep(for: .milliseconds(5))
        }
        let ghost = keyboard.ghost
        XCTAssertTrue(ghost.hasPrefix("ing"), ghost)
        let before = keyboard.field.before
        try keyboard.press(.acceptGhost(.all))
        XCTAssertTrue(keyboard.field.before.hasPrefix(before + ghost), keyboard.field.before)
    }
}
