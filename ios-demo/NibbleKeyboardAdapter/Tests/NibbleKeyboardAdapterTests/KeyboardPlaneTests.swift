import Foundation
import Nibble
import XCTest

@testable import NibbleKeyboardAdapter

final class KeyboardPlaneTests: XCTestCase {
    /// A small phone, a usual one upright and on its side, half a tablet, and tablets.
    private let sizes = [320, 390, 844, 507, 820, 1366].map { width in
        CGSize(width: width, height: Int(KeyboardPlane.height(forWidth: CGFloat(width), screenHeight: 900)))
    }

    private func eachPlane(_ check: (KeyboardPlane, KeyboardLayout, Bool) throws -> Void) throws {
        for name in try KeyboardLayout.builtinNames {
            let layout = try KeyboardLayout(named: name)
            for size in sizes {
                for page in [LayoutPage.letters, .symbols, .moreSymbols, .numbers, .emoji] {
                    for hasNextKeyboardKey in [true, false] {
                        try check(
                            try KeyboardPlane(
                                page, of: layout, size: size, hasNextKeyboardKey: hasNextKeyboardKey),
                            layout, hasNextKeyboardKey)
                    }
                }
            }
        }
    }

    func testEveryKeyIsHitAtItsCentreAndNoTwoOverlap() throws {
        try eachPlane { plane, _, _ in
            XCTAssertFalse(plane.keys.isEmpty)
            for (index, key) in plane.keys.enumerated() {
                XCTAssertEqual(plane.key(at: CGPoint(x: key.frame.midX, y: key.frame.midY)), key)
                XCTAssertGreaterThan(key.frame.width, 20, "\(key.action) \(plane.size)")
                XCTAssertTrue(
                    CGRect(origin: .zero, size: plane.size).insetBy(dx: -0.01, dy: -0.01).contains(key.frame))
                for other in plane.keys[(index + 1)...] {
                    let common = key.frame.intersection(other.frame)
                    XCTAssertLessThan(common.isNull ? 0 : common.width * common.height, 0.01)
                }
            }
        }
    }

    func testGapsBelongToTheNearestKeyAndTheOutsideToNone() throws {
        let layout = try KeyboardLayout(named: "qwerty")
        let plane = try KeyboardPlane(
            .letters, of: layout, size: CGSize(width: 390, height: 216), hasNextKeyboardKey: true)
        // Left of `a` nothing is drawn.
        let a = try XCTUnwrap(plane.keys.first { $0.action == .character("a") })
        XCTAssertGreaterThan(a.frame.minX, 10)
        XCTAssertEqual(plane.key(at: CGPoint(x: 1, y: a.frame.midY))?.action, .character("a"))
        XCTAssertNil(plane.key(at: CGPoint(x: 195, y: -1)))
        XCTAssertNil(plane.key(at: CGPoint(x: 391, y: 100)))
    }

    func testTheNextKeyboardCanBeReachedWhereTheSystemAsksForIt() throws {
        try eachPlane { plane, _, hasNextKeyboardKey in
            XCTAssertEqual(
                plane.keys.filter { $0.action == .nextKeyboard }.count, hasNextKeyboardKey ? 1 : 0,
                "\(plane.page)")
            // No page is a dead end, and what was typed can be taken back from each.
            XCTAssertTrue(plane.page == .letters || plane.keys.contains { $0.action == .showPage(.letters) })
            XCTAssertTrue(plane.keys.contains { $0.action == .backspace })
        }
    }

    func testTapsAreThoseOfTheEnginesLayout() throws {
        try eachPlane { plane, layout, _ in
            for key in plane.keys {
                guard case .character(let text) = key.action else { continue }
                guard let tap = plane.tap(at: CGPoint(x: key.frame.midX, y: key.frame.midY), on: key) else {
                    XCTAssertEqual(plane.page, .numbers)
                    continue
                }
                XCTAssertEqual(
                    try layout.key(on: plane.page, x: tap.x, y: tap.y)?.action, .character(text))
                let beside = try XCTUnwrap(
                    plane.tap(
                        at: CGPoint(x: key.frame.midX + key.frame.width / 2, y: key.frame.midY), on: key))
                XCTAssertEqual(beside.x - tap.x, 0.5, accuracy: 0.01)
            }
        }
    }

    func testHeightsSuitTheScreen() {
        let phone = KeyboardPlane.height(forWidth: 390, screenHeight: 844)
        let onItsSide = KeyboardPlane.height(forWidth: 844, screenHeight: 390)
        let tablet = KeyboardPlane.height(forWidth: 1024, screenHeight: 1366)
        XCTAssertEqual(phone, 216)
        XCTAssertEqual(onItsSide, 160)
        XCTAssertEqual(tablet, 264)
        XCTAssertLessThanOrEqual(KeyboardPlane.height(forWidth: 320, screenHeight: 300), 150)
    }

    func testKeysHaveFacesAndAreSpoken() throws {
        try eachPlane { plane, _, _ in
            for key in plane.keys {
                for shift in [ShiftState.off, .automatic, .manual, .locked] {
                    XCTAssertFalse(key.accessibilityLabel(shift).isEmpty)
                    if case .text(let text) = key.face(shift) { XCTAssertFalse(text.isEmpty) }
                }
            }
        }
        let frame = CGRect(x: 0, y: 0, width: 40, height: 50)
        let e = KeyboardKey(.character("e"), frame: frame, longPress: ["é", "ß"])
        XCTAssertEqual(e.face(.manual), .text("E"))
        XCTAssertEqual(e.accessibilityLabel(.manual), "capital e")
        XCTAssertEqual(e.longPressFaces(.locked), ["É", "ẞ"])
        XCTAssertEqual(KeyboardKey(.character("@"), frame: frame).accessibilityLabel(.locked), "commercial at")
        XCTAssertEqual(KeyboardKey(.enter, frame: frame).face(.off, returnKey: .send), .text("send"))
        XCTAssertEqual("😀".spokenName, "grinning face")
    }

    func testEveryEmojiIsOneCharacter() {
        let all = EmojiPage.groups.flatMap(\.emoji)
        XCTAssertGreaterThan(all.count, 150)
        XCTAssertEqual(Set(all).count, all.count)
        for emoji in all {
            XCTAssertTrue(emoji.unicodeScalars.first?.properties.isEmoji ?? false, emoji)
            XCTAssertNotEqual(emoji.spokenName, emoji)
        }
    }
}
