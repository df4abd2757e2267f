import Nibble
import XCTest

@testable import NibbleKeyboardAdapter

final class EditorAdapterTests: XCTestCase, @unchecked Sendable {
    /// A keyboard without an engine at a field.
    @MainActor
    private final class Keyboard {
        let controller: KeyboardController
        let behaviour: RecordedBehaviour
        let adapter: EditorAdapter
        let document: FakeTextDocument
        private(set) var requests: [EngineRequest] = []
        private(set) var notices: [EngineNotice] = []
        private(set) var time = Duration.zero

        init(_ document: FakeTextDocument) throws {
            controller = try KeyboardController()
            behaviour = RecordedBehaviour(controller)
            adapter = EditorAdapter(behaviour)
            self.document = document
            note(try adapter.focus(document, at: time))
        }

        func press(_ event: KeyboardEvent) throws {
            time += .milliseconds(100)
            note(try adapter.handle(event, at: time))
            try deliver()
        }

        func type(_ text: String) throws {
            for key in text { try press(key == " " ? .space : key == "\n" ? .enter : .character(String(key))) }
        }

        /// Everything that was reported is seen, and the field settles.
        func deliver() throws {
            document.endBatch()
            while document.showNext() { note(try adapter.documentDidChange(at: time)) }
            time += EditorAdapter.settlingTime
            note(try adapter.catchUp(at: time))
        }

        func answer(_ items: [Suggestion]) throws {
            let epoch = try controller.epoch
            note(try adapter.handle(.answer(Suggestions(epoch: epoch, items: items, isFresh: true)), at: time))
        }

        private func note(_ actions: [KeyboardAction]) {
            for action in actions {
                switch action {
                case .request(let request): requests.append(request)
                case .notify(let notice): notices.append(notice)
                default: break
                }
            }
        }

        /// How often the field's text was in doubt.
        var questions: Int {
            behaviour.events.reduce(0) { count, event in
                if case .editor(let update) = event, update.answers != nil { count + 1 } else { count }
            }
        }
    }

    private let family = "👨‍👩‍👧"

    @MainActor
    func testEditsBecomeCallsOfWholeClusters() async throws {
        var text = EditorText(before: "x nai\u{308}ve")
        XCTAssertEqual(
            ProxyEdit.edits(for: .delete(before: "\u{308}ve", after: ""), in: &text),
            [.deleteBackward, .deleteBackward, .deleteBackward, .insert("i")])
        XCTAssertEqual(text.before, "x nai")

        text = EditorText(before: "a\(family)b")
        XCTAssertEqual(
            ProxyEdit.edits(for: .delete(before: "\(family)b", after: ""), in: &text),
            [.deleteBackward, .deleteBackward])
        XCTAssertEqual(text.before, "a")

        text = EditorText(before: "a😀", after: "😀b")
        XCTAssertEqual(
            ProxyEdit.edits(for: .delete(before: "😀", after: "😀"), in: &text),
            [.move(2), .deleteBackward, .deleteBackward])
        XCTAssertEqual(text, EditorText(before: "a", after: "b"))

        text = EditorText(before: "a\(family)", after: "b")
        XCTAssertEqual(ProxyEdit.edits(for: .moveCursor(by: -5, over: family), in: &text), [.move(-8)])
        XCTAssertEqual(text, EditorText(before: "a", after: "\(family)b"))

        text = EditorText(before: "a")
        XCTAssertEqual(ProxyEdit.edits(for: .insert(""), in: &text), [])
    }

    @MainActor
    func testBackspaceAndCursorGoOverClusters() async throws {
        let keyboard = try Keyboard(FakeTextDocument("ab"))
        try keyboard.press(.character(family))
        try keyboard.press(.character("c"))
        try keyboard.press(.moveCursor(by: -2))
        XCTAssertEqual(keyboard.document.state.before, "ab")
        XCTAssertEqual(keyboard.document.state.after, "\(family)c")
        try keyboard.press(.moveCursor(by: 1))
        try keyboard.press(.backspace)
        XCTAssertEqual(keyboard.document.state.before, "ab")
        XCTAssertEqual(keyboard.document.state.after, "c")
        XCTAssertEqual(try keyboard.controller.mirror, EditorText(before: "ab", after: "c"))
        XCTAssertEqual(keyboard.questions, 0)
    }

    @MainActor
    func testACorrectionIsReportedCallByCallAndNothingIsInDoubt() async throws {
        let keyboard = try Keyboard(FakeTextDocument())
        keyboard.document.reportsEachCall = true
        try keyboard.type("i saw teh")
        try keyboard.answer([Suggestion(text: "the", kind: .correction, replace: 3, isAutomatic: true)])
        try keyboard.press(.space)
        XCTAssertEqual(keyboard.document.state.before, "I saw the ")
        try keyboard.press(.backspace)
        XCTAssertEqual(keyboard.document.state.before, "I saw teh ")
        XCTAssertEqual(keyboard.questions, 0)
        XCTAssertFalse(try keyboard.controller.isUnsure)
    }

    @MainActor
    func testAWindowOfALongTextIsNoChange() async throws {
        let keyboard = try Keyboard(FakeTextDocument())
        let sentence = "all work and no play makes jack a dull boy. "
        for _ in 0..<10 { try keyboard.type(sentence) }
        XCTAssertEqual(keyboard.questions, 0)
        XCTAssertEqual(keyboard.document.state.scalars.count, 440)
        XCTAssertEqual(try keyboard.controller.mirror.before, keyboard.document.state.before)
    }

    /// Some apps show the present line alone.
    @MainActor
    func testAFieldThatShowsLessThanItHasIsNotInDoubtForLong() async throws {
        final class Lines: TextDocumentProxy {
            let document = FakeTextDocument()
            var documentContextBeforeInput: String? {
                document.documentContextBeforeInput.map { String($0.split(separator: "\n").last ?? "") }
            }
            var documentContextAfterInput: String? { nil }
            var selectedText: String? { nil }
            var hasText: Bool { document.hasText }
            var documentIdentifier: UUID { document.documentIdentifier }
            var traits: TextInputTraits { document.traits }
            func insertText(_ text: String) { document.insertText(text) }
            func deleteBackward() { document.deleteBackward() }
            func adjustTextPosition(byCharacterOffset offset: Int) {
                document.adjustTextPosition(byCharacterOffset: offset)
            }
        }
        let lines = Lines()
        let controller = try KeyboardController()
        let behaviour = RecordedBehaviour(controller)
        let adapter = EditorAdapter(behaviour)
        var time = Duration.zero
        _ = try adapter.focus(lines, at: time)
        for key in "one two\nthree four five six" {
            time += .milliseconds(150)
            _ = try adapter.handle(key == " " ? .space : key == "\n" ? .enter : .character(String(key)), at: time)
            lines.document.settle()
            _ = try adapter.documentDidChange(at: time)
            time += EditorAdapter.settlingTime
            _ = try adapter.catchUp(at: time)
        }
        XCTAssertEqual(try controller.mirror.before, "One two\nThree four five six")
        let answers = behaviour.events.filter { if case .editor(let update) = $0 { update.answers != nil } else { false } }
        XCTAssertEqual(answers.count, 0)
    }

    @MainActor
    func testSecretsNeverReachTheEngine() async throws {
        for traits in [
            TextInputTraits(isSecureTextEntry: true), TextInputTraits(content: .secret),
            TextInputTraits(keyboardType: .emailAddress, isSecureTextEntry: true, content: .address),
        ] {
            let document = FakeTextDocument("hunter1", traits: traits)
            let keyboard = try Keyboard(document)
            try keyboard.type("hunter2 x")
            try keyboard.press(.backspace)
            try keyboard.press(.idle)
            XCTAssertEqual(document.state.before, "hunter1hunter2 ")
            XCTAssertEqual(document.looks, 0)
            XCTAssertEqual(keyboard.requests, [])
            XCTAssertEqual(keyboard.notices, [.focus(.password)])
            XCTAssertEqual(try keyboard.controller.mirror, EditorText())
        }
    }

    @MainActor
    func testTraitsSayWhatTheFieldIs() async throws {
        XCTAssertEqual(TextInputTraits().fieldKind, .message)
        XCTAssertEqual(TextInputTraits(keyboardType: .emailAddress).fieldKind, .url)
        XCTAssertEqual(TextInputTraits(keyboardType: .number).fieldKind, .number)
        XCTAssertEqual(TextInputTraits(returnKey: .search).fieldKind, .search)
        XCTAssertEqual(TextInputTraits(content: .address).fieldKind, .url)
        // What is no word of a language is not learned.
        XCTAssertEqual(TextInputTraits(allowsAutocorrection: false).fieldKind, .noLearning)
        XCTAssertEqual(TextInputTraits(returnKey: .search, allowsAutocorrection: false).fieldKind, .noLearning)
        XCTAssertEqual(TextInputTraits(keyboardType: .url, allowsAutocorrection: false).fieldKind, .url)
        XCTAssertTrue(TextInputTraits().isMultiLine)
        XCTAssertFalse(TextInputTraits(returnKey: .send).isMultiLine)
    }

    @MainActor
    func testAFieldThatForbidsCorrectionsGetsNone() async throws {
        let keyboard = try Keyboard(FakeTextDocument("", traits: TextInputTraits(allowsAutocorrection: false)))
        try keyboard.type("x teh")
        try keyboard.answer([Suggestion(text: "the", kind: .correction, replace: 3, isAutomatic: true)])
        try keyboard.press(.space)
        XCTAssertEqual(keyboard.document.state.before, "X teh ")
        // The next field allows them again.
        keyboard.document.traits = TextInputTraits()
        keyboard.document.documentIdentifier = UUID()
        try keyboard.press(.idle)
        keyboard.document.change { $0 = FakeTextDocument.State() }
        try keyboard.deliver()
        try keyboard.type("x teh")
        try keyboard.answer([Suggestion(text: "the", kind: .correction, replace: 3, isAutomatic: true)])
        try keyboard.press(.space)
        XCTAssertEqual(keyboard.document.state.before, "X the ")
    }

    @MainActor
    func testAMessageThatWasSentLeavesAnEmptyField() async throws {
        let keyboard = try Keyboard(FakeTextDocument())
        try keyboard.type("see you")
        keyboard.document.change { $0 = FakeTextDocument.State() }
        try keyboard.deliver()
        try keyboard.deliver()
        XCTAssertEqual(try keyboard.controller.mirror, EditorText())
        try keyboard.type("ok")
        XCTAssertEqual(keyboard.document.state.before, "Ok")
    }

    @MainActor
    func testAnswersAreWhatStoodThereWhenItWasAsked() async throws {
        let now = EditorText(before: "abc de", after: "f")
        let edits: [TextEdit] = [
            .insert("abc xy"), .delete(before: "xy", after: "z"), .moveCursor(by: 1, over: "d"), .insert("e"),
        ]
        var asked = try XCTUnwrap(now.before(edits))
        XCTAssertEqual(asked, EditorText(before: "", after: "zdf"))
        for edit in edits { _ = ProxyEdit.edits(for: edit, in: &asked) }
        XCTAssertEqual(asked, now)
        XCTAssertNil(now.before([.insert("something else")]))
        var merged: [TextEdit] = [.insert("ab")]
        merged.appendMerging(.pressBackspace)
        merged.appendMerging(.pressBackspace)
        XCTAssertEqual(merged, [])
    }
}
