import Foundation
import Nibble
import XCTest

@testable import NibbleKeyboardAdapter

final class RunningKeyboardTests: XCTestCase, @unchecked Sendable {
    /// Errors that a keyboard told.
    @MainActor
    private final class Errors {
        var all: [any Error] = []
    }

    @MainActor
    private func makeKeyboard(in folder: URL, _ errors: Errors) throws -> RunningKeyboard {
        let own = folder.appendingPathComponent("own")
        try FileManager.default.createDirectory(at: own, withIntermediateDirectories: true)
        let files = RunningKeyboard.Files(
            shared: SharedContainer(folder: folder.appendingPathComponent("shared")), own: own,
            lexicons: Places.lexicons)
        return try RunningKeyboard(files, deviceMemory: 8 << 30) { errors.all.append($0) }
    }

    private func write(_ preferences: Preferences, in folder: URL) throws {
        try preferences.write(to: SharedContainer(folder: folder.appendingPathComponent("shared")).preferences)
    }

    @MainActor
    private func type(_ text: String, on keyboard: RunningKeyboard, from time: Duration) {
        for (index, character) in text.enumerated() {
            let action: KeyboardKey.Action = character == " " ? .space : .character(String(character))
            keyboard.model.press(KeyboardKey(action, frame: .zero), at: time + .milliseconds(200) * index)
        }
    }

    @MainActor
    func testWhatTheUserSetsInTheAppReachesAKeyboardThatRuns() async throws {
        let temporary = try TemporaryFolder()
        defer { withExtendedLifetime(temporary) {} }
        let folder = temporary.url
        let errors = Errors()
        let keyboard = try makeKeyboard(in: folder, errors)
        var draws = 0
        keyboard.onChange = { draws += 1 }
        let document = FakeTextDocument()
        keyboard.appear(document, at: .seconds(1))
        XCTAssertEqual(keyboard.preferences, Preferences())
        type("teh ", on: keyboard, from: .seconds(2))
        XCTAssertEqual(document.state.before, "The ")
        let model = keyboard.model
        keyboard.disappear(at: .seconds(4))

        // Nothing was changed: nothing is made anew.
        document.settle()
        keyboard.appear(document, at: .seconds(5))
        XCTAssertTrue(keyboard.model === model)
        keyboard.disappear(at: .seconds(6))

        try write(Preferences(layout: "azerty", correction: .off, slots: 1), in: folder)
        // Not before it appears again: the keys do not change under a finger.
        XCTAssertEqual(try keyboard.layout.keys(on: .letters).first?.action, .character("q"))
        let next = FakeTextDocument()
        keyboard.appear(next, at: .seconds(7))
        XCTAssertFalse(keyboard.model === model)
        XCTAssertEqual(try keyboard.layout.keys(on: .letters).first?.action, .character("a"))
        draws = 0
        type("teh", on: keyboard, from: .seconds(8))
        XCTAssertLessThanOrEqual(keyboard.model.strip.slots.count, 1)
        XCTAssertGreaterThan(draws, 0)
        type(" ", on: keyboard, from: .seconds(9))
        XCTAssertEqual(next.state.before, "Teh ")
        XCTAssertEqual(keyboard.count.keys, 8)
        XCTAssertTrue(errors.all.isEmpty, "\(errors.all)")
    }

    @MainActor
    func testWhatWasLearnedAndCountedOutlivesSettingsAndProcess() async throws {
        let temporary = try TemporaryFolder()
        defer { withExtendedLifetime(temporary) {} }
        let folder = temporary.url
        let errors = Errors()
        let first = try makeKeyboard(in: folder, errors)
        first.appear(FakeTextDocument(), at: .zero)
        for _ in 0..<3 { try first.model.engine.commit("Zwischenbergen", after: "to ") }
        type("hello ", on: first, from: .seconds(1))
        first.disappear(at: .seconds(5))
        try write(Preferences(layout: "qwertz"), in: folder)
        first.appear(FakeTextDocument(), at: .seconds(6))
        let context = EditorContext(before: "Zwischenb")
        XCTAssertEqual(try first.model.engine.suggest(context).items.first?.text, "Zwischenbergen")
        // The new engine writes to the same words.
        for _ in 0..<3 { try first.model.engine.commit("Bergün", after: "to ") }
        let words = try LearnedWords(try XCTUnwrap(first.learnedWords))
        XCTAssertTrue(Set(words.words.map(\.text)).isSuperset(of: ["Bergün", "Zwischenbergen"]))
        XCTAssertEqual(first.count.keys, 6)
        first.disappear(at: .seconds(7))

        // A second process while the first one lives types on, and learns nothing.
        let second = try makeKeyboard(in: folder, errors)
        XCTAssertNil(second.learnedWords)
        XCTAssertEqual(second.count, first.count)
        second.appear(FakeTextDocument(), at: .zero)
        type("hello ", on: second, from: .seconds(1))
        XCTAssertEqual(second.count.keys, 12)
        second.disappear(at: .seconds(5))

        // Once the first one is gone it learns as well.
        first.model.close()
        first.model.engine.close()
        first.learnedWords?.close()
        second.appear(FakeTextDocument(), at: .seconds(6))
        XCTAssertEqual(try second.model.engine.suggest(context).items.first?.text, "Zwischenbergen")
        let model = second.model
        second.disappear(at: .seconds(7))
        second.appear(FakeTextDocument(), at: .seconds(8))
        XCTAssertTrue(second.model === model)
        XCTAssertEqual(second.count.keys, 12)
        XCTAssertTrue(errors.all.isEmpty, "\(errors.all)")
    }

    @MainActor
    func testPreferencesThatCannotBeUsedAreReportedAndTheKeyboardTypesOn() async throws {
        let temporary = try TemporaryFolder()
        defer { withExtendedLifetime(temporary) {} }
        let folder = temporary.url
        let errors = Errors()
        try write(Preferences(layout: "of a later version"), in: folder)
        let keyboard = try makeKeyboard(in: folder, errors)
        XCTAssertEqual(errors.all.count, 1)
        XCTAssertEqual(keyboard.preferences, Preferences())
        let document = FakeTextDocument()
        keyboard.appear(document, at: .zero)
        XCTAssertEqual(errors.all.count, 2)
        type("hello ", on: keyboard, from: .seconds(1))
        XCTAssertEqual(document.state.before, "Hello ")
        XCTAssertEqual(keyboard.count.keys, 6)
        keyboard.disappear(at: .seconds(5))

        let file = SharedContainer(folder: folder.appendingPathComponent("shared")).preferences
        try Data("{".utf8).write(to: file)
        keyboard.appear(FakeTextDocument(), at: .seconds(6))
        XCTAssertEqual(errors.all.count, 3)
        XCTAssertTrue(errors.all[2] is DecodingError)

        // Words that cannot be read are not learned over.
        let words = folder.appendingPathComponent("own/learned-words")
        let damaged = Data("no words".utf8)
        keyboard.model.close()
        keyboard.model.engine.close()
        keyboard.learnedWords?.close()
        try damaged.write(to: words)
        let again = try makeKeyboard(in: folder, errors)
        XCTAssertNil(again.learnedWords)
        XCTAssertEqual(try Data(contentsOf: words), damaged)
    }
}
