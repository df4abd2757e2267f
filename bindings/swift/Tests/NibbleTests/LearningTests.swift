import Foundation
import Nibble
import XCTest

final class LearningTests: XCTestCase {
    func testWordsAreLearnedShownExportedAndForgotten() throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appendingPathComponent("words")
        let user = try UserModel(contentsOf: file)
        let engine = try TypingEngine(lexicons: [try Lexicon(contentsOf: Places.englishLexicon)], user: user)
        for _ in 0..<5 { try engine.commit("Zwischenbergen", after: "I live in ") }

        XCTAssertEqual(try user.words().map(\.text), ["Zwischenbergen"])
        XCTAssertEqual(try user.words(containing: "bergen").first?.uses, 5)
        let age = try XCTUnwrap(user.words().first).lastUsed.timeIntervalSinceNow
        XCTAssertEqual(age, 0, accuracy: 60)
        let suggested = try engine.suggest(EditorContext(before: "I live in Zwis")).items
        XCTAssertEqual(suggested.first?.text, "Zwischenbergen")

        // Others may read meanwhile and not write.
        let reader = try UserModel(readingFrom: file)
        XCTAssertEqual(try reader.wordCount, 1)
        XCTAssertThrowsError(try reader.erase()) { error in
            guard case NibbleError.readOnly = error else { return XCTFail("\(error)") }
        }
        XCTAssertThrowsError(try UserModel(contentsOf: file)) { error in
            guard case NibbleError.inUse = error else { return XCTFail("\(error)") }
        }

        let export = try user.exportText()
        XCTAssertTrue(try user.remove("Zwischenbergen"))
        XCTAssertFalse(try user.remove("Zwischenbergen"))
        XCTAssertEqual(try user.wordCount, 0)
        try user.importText(export)
        XCTAssertEqual(try user.words().map(\.text), ["Zwischenbergen"])
        try user.erase()
        XCTAssertEqual(try user.wordCount, 0)
        let left = try String(decoding: Data(contentsOf: file), as: UTF8.self)
        XCTAssertFalse(left.contains("Zwischenbergen"))
    }

    func testAWordThatWasCorrectedBackIsNotCorrectedAgain() throws {
        let engine = try TypingEngine(
            lexicons: [try Lexicon(contentsOf: Places.englishLexicon)],
            user: try UserModel(inMemory: UserModel.Bounds()))
        let context = EditorContext(before: "I saw teh")
        XCTAssertTrue(try engine.suggest(context).items.contains { $0.isAutomatic && $0.text == "the" })
        try engine.revert(to: "teh")
        XCTAssertFalse(try engine.suggest(context).items.contains { $0.isAutomatic })
    }
}
