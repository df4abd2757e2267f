import Nibble
import XCTest

final class EngineMessagesTests: XCTestCase {
    /// A keyboard and its engine, between which only JSON crosses.
    private struct Keyboard {
        let engine: TypingEngine
        let controller: KeyboardController
        var field = InMemoryTextField("", reporting: InMemoryTextField.Reporting())
        var strip: Strip?
        var notices: [EngineNotice] = []
        var time = 0

        mutating func press(_ event: KeyboardEvent) throws {
            time += 100
            var events = [event]
            while !events.isEmpty {
                let actions = try controller.handle(events.removeFirst(), at: .milliseconds(time))
                field.apply(actions)
                for action in actions {
                    switch action {
                    case .request(let request):
                        let asked = try EngineRequest(json: try request.json())
                        XCTAssertEqual(asked, request)
                        let answer = try engine.answer(asked)
                        let sent = try Suggestions(json: try answer.json())
                        XCTAssertEqual(sent, answer)
                        events.append(.answer(sent))
                    case .notify(let notice):
                        let told = try EngineNotice(json: try notice.json())
                        XCTAssertEqual(told, notice)
                        notices.append(told)
                        try engine.notify(told)
                    case .showStrip(let new): strip = new
                    default: break
                    }
                }
            }
            while let report = field.nextReport() { try press(.editor(report)) }
        }
    }

    func testAKeyboardAndAnEngineInTwoProcesses() throws {
        let engine = try TypingEngine(
            lexicons: [try Lexicon(contentsOf: Places.englishLexicon)], user: try UserModel(inMemory: UserModel.Bounds()))
        var keyboard = Keyboard(engine: engine, controller: try KeyboardController())
        try keyboard.press(.focus(FieldFocus(unit: .scalar)))
        for key in "hello wor" {
            try keyboard.press(key == " " ? .space : .character(String(key), tap: Tap(x: 2.5, y: 1)))
        }
        let strip = try XCTUnwrap(keyboard.strip)
        let slot = try XCTUnwrap(strip.slots.firstIndex { $0.text == "world" })
        try keyboard.press(.tapSuggestion(strip: strip.serial, slot: slot))
        try keyboard.press(.blur)
        XCTAssertEqual(keyboard.field.before, "Hello world ")
        XCTAssertEqual(keyboard.notices.first, .focus(.message))
        XCTAssertEqual(keyboard.notices.last, .blur)
        XCTAssertTrue(keyboard.notices.contains { if case .accept = $0 { true } else { false } })
    }

    func testWhatIsNoMessageIsRefused() {
        XCTAssertThrowsError(try EngineRequest(json: "{"))
        XCTAssertThrowsError(try EngineNotice(json: "{\"shout\": {}}"))
        XCTAssertThrowsError(try Suggestions(json: ""))
    }
}
