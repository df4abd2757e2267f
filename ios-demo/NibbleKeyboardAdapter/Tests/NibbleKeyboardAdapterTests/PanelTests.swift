import Foundation
import Nibble
import XCTest

@testable import NibbleKeyboardAdapter

final class PanelTests: XCTestCase, @unchecked Sendable {
    private func key(_ action: KeyboardKey.Action) -> KeyboardKey { KeyboardKey(action, frame: .zero) }

    @MainActor
    func testWordsAreSearchedByKeysRemovedAndErasedAtTheSecondAsking() async throws {
        let user = try UserModel(inMemory: UserModel.Bounds())
        let engine = try TypingEngine(lexicons: [try Lexicon(contentsOf: Places.englishLexicon)], user: user)
        for word in ["Zwischenbergen", "Grindelwald", "Bergün"] {
            for _ in 0..<3 { try engine.commit(word, after: "I live in ") }
        }
        let panel = try LearnedWords(user)
        var changes = 0
        panel.onChange = { changes += 1 }
        XCTAssertEqual(panel.words.map(\.text), ["Bergün", "Grindelwald", "Zwischenbergen"])

        for letter in "berg" { XCTAssertTrue(try panel.take(key(.character(String(letter))))) }
        XCTAssertEqual(panel.words.map(\.text), ["Bergün", "Zwischenbergen"])
        try panel.type("ü")
        XCTAssertEqual(panel.words.map(\.text), ["Bergün"])
        XCTAssertTrue(try panel.take(key(.backspace)))
        XCTAssertEqual(panel.query, "berg")
        XCTAssertFalse(try panel.take(key(.showPage(.symbols))))
        XCTAssertFalse(try panel.take(key(.shift)))
        XCTAssertEqual(changes, 6)

        let word = try XCTUnwrap(panel.words.last)
        let context = EditorContext(before: "I live in Zwis")
        XCTAssertEqual(try engine.suggest(context).items.first?.text, "Zwischenbergen")
        try panel.remove(word)
        XCTAssertEqual(panel.words.map(\.text), ["Bergün"])
        XCTAssertNotEqual(try engine.suggest(context).items.first?.text, "Zwischenbergen")
        XCTAssertTrue(try panel.take(key(.enter)))
        XCTAssertEqual(panel.words.map(\.text), ["Bergün", "Grindelwald"])

        let export = try panel.exportText()
        try panel.erase()
        XCTAssertTrue(panel.asksToErase)
        XCTAssertEqual(panel.words.count, 2)
        // Whoever does something else in between is asked again.
        XCTAssertTrue(try panel.take(key(.character("g"))))
        XCTAssertFalse(panel.asksToErase)
        try panel.erase()
        XCTAssertEqual(try user.wordCount, 2)
        try panel.erase()
        XCTAssertEqual(try user.wordCount, 0)
        XCTAssertEqual(panel.words, [])
        XCTAssertEqual(panel.query, "")
        XCTAssertGreaterThan(try user.importText(export), 0)
        XCTAssertEqual(try user.wordCount, 2)
    }

    @MainActor
    func testAnExportIsWrittenIntoTheFieldAndTeachesNothing() async throws {
        let user = try UserModel(inMemory: UserModel.Bounds())
        let engine = try TypingEngine(lexicons: [try Lexicon(contentsOf: Places.englishLexicon)], user: user)
        for _ in 0..<3 { try engine.commit("Zwischenbergen", after: "to ") }
        let export = try LearnedWords(user).exportText()
        let keyboard = try KeyboardModel(engine: engine)
        let document = FakeTextDocument("My words: ")
        keyboard.appear(document, at: .zero)
        XCTAssertTrue(keyboard.takesLines)
        keyboard.insertForeign(export, at: .milliseconds(100))
        document.settle()
        keyboard.tick(at: .milliseconds(200))
        XCTAssertEqual(document.state.before, "My words: " + export)
        keyboard.tick(at: .seconds(5))
        keyboard.disappear(at: .seconds(6))
        XCTAssertEqual(try LearnedWords(user).exportText(), export)
        XCTAssertEqual(keyboard.count, KeystrokeCount())

        // Where a line feed would send, and in passwords, there is no export.
        for traits in [TextInputTraits(returnKey: .send), TextInputTraits(isSecureTextEntry: true)] {
            keyboard.appear(FakeTextDocument("", traits: traits), at: .seconds(10))
            XCTAssertFalse(keyboard.takesLines)
        }
    }

    @MainActor
    func testKeysAndCharactersOfTheKeyboardAreCounted() async throws {
        let engine = try TypingEngine(lexicons: [try Lexicon(contentsOf: Places.englishLexicon)])
        let keyboard = try KeyboardModel(engine: engine)
        let document = FakeTextDocument("Old text. ")
        keyboard.appear(document, at: .zero)
        var time = Duration.zero
        func press(_ action: KeyboardKey.Action) {
            time += .milliseconds(200)
            keyboard.press(key(action), at: time)
        }
        press(.shift)
        XCTAssertEqual(keyboard.count, KeystrokeCount())
        for letter in "tomor" { press(.character(String(letter))) }
        XCTAssertEqual(keyboard.count.keys, 5)
        XCTAssertEqual(keyboard.count.characters, 5)
        let slot = try XCTUnwrap(keyboard.strip.slots.first { $0.text.lowercased() == "tomorrow" })
        keyboard.tap(slot, at: time)
        // Tomorrow, and its space.
        XCTAssertEqual(keyboard.count.keys, 6)
        XCTAssertEqual(keyboard.count.characters, 9)
        XCTAssertEqual(try XCTUnwrap(keyboard.count.saved), 1 - 6.0 / 9, accuracy: 1e-9)
        press(.showPage(.symbols))
        keyboard.moveCursor(by: -1, at: time)
        XCTAssertEqual(keyboard.count.keys, 6)
        for _ in 0..<3 { press(.backspace) }
        XCTAssertEqual(keyboard.count.keys, 9)
        XCTAssertEqual(keyboard.count.characters, 6)
        // What others had written takes nothing away.
        for _ in 0..<12 { press(.backspace) }
        XCTAssertEqual(keyboard.count.characters, 0)
        XCTAssertNil(keyboard.count.saved)

        let count = keyboard.count
        keyboard.appear(FakeTextDocument("", traits: TextInputTraits(isSecureTextEntry: true)), at: time)
        press(.character("x"))
        XCTAssertEqual(keyboard.count, count)

        let shown = MeasuredValue.all(count, try engine.stats)
        XCTAssertEqual(shown.map(\.name).first, "Keystrokes saved")
        XCTAssertEqual(shown.first?.value, "–")
        XCTAssertEqual(shown.first { $0.name == "Keys" }?.value, "21")
        XCTAssertEqual(shown.first { $0.name == "Passes of the model" }?.value, "0")
        XCTAssertTrue(try XCTUnwrap(shown.last).value.hasSuffix(" ms"))
    }

    func testTheCollectedLicencesAreShownOneByOne() throws {
        let file = try String(contentsOf: Places.app.appendingPathComponent("Licences/LICENCES.txt"), encoding: .utf8)
        let sections = Licences.sections(of: file)
        XCTAssertTrue(sections[0].text.contains("uniffi"))
        XCTAssertTrue(sections.dropFirst().contains { $0.title.contains("memmap2") })
        for section in sections {
            XCTAssertFalse(section.title.isEmpty)
            XCTAssertGreaterThan(section.text.count, 10, section.title)
            XCTAssertTrue(file.contains(section.text), section.title)
        }
    }
}
