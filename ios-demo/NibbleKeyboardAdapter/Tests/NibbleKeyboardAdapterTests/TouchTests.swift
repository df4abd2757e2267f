import Foundation
import Nibble
import XCTest

@testable import NibbleKeyboardAdapter

final class TouchTests: XCTestCase {
    // MARK: The space bar

    func testAFingerThatStaysPressesSpace() {
        var gesture = SpaceBarGesture(width: 160, hasGhost: true)
        XCTAssertEqual([3, -15, 15, 0].map { gesture.slide(to: $0) }, [0, 0, 0, 0])
        XCTAssertEqual(gesture.end, .press)
    }

    func testAFingerThatSlidesMovesTheCursorAndPressesNothing() {
        var gesture = SpaceBarGesture(width: 160, hasGhost: false)
        XCTAssertEqual([16, 23, 24, 0, -8, -40].map { gesture.slide(to: $0) }, [2, 0, 1, -3, -1, -4])
        XCTAssertEqual(gesture.end, .nothing)
    }

    func testASwipeToTheRightAcceptsGhostTextByItsLength() {
        var gesture = SpaceBarGesture(width: 160, hasGhost: true)
        XCTAssertEqual([10, 16, 80].map { gesture.slide(to: $0) }, [0, 0, 0])
        XCTAssertEqual(gesture.end, .accept(.word))
        XCTAssertEqual(gesture.slide(to: 81), 0)
        XCTAssertEqual(gesture.end, .accept(.all))
        // Whoever goes back accepts nothing.
        XCTAssertEqual(gesture.slide(to: 0), 0)
        XCTAssertEqual(gesture.end, .nothing)
    }

    func testWhereTheCursorHasMovedToTheLeftNoGhostTextIsAccepted() {
        var gesture = SpaceBarGesture(width: 160, hasGhost: true)
        XCTAssertEqual([-16, 40].map { gesture.slide(to: $0) }, [-2, 7])
        XCTAssertEqual(gesture.end, .nothing)
    }

    // MARK: Pop-ups

    private func planes() throws -> [KeyboardPlane] {
        try [320, 390, 844].flatMap { width in
            try ["qwerty", "azerty"].map { name in
                try KeyboardPlane(
                    .letters, of: try KeyboardLayout(named: name), size: CGSize(width: width, height: 216),
                    hasNextKeyboardKey: true)
            }
        }
    }

    func testEachAccentIsChosenWhereItIsDrawnAndTheFirstIsAboveItsKey() throws {
        var seen = 0
        for plane in try planes() {
            for key in plane.keys where !key.longPress.isEmpty {
                let popup = KeyPopup(
                    key.longPressFaces(.off), above: key.frame, width: plane.size.width, roomAbove: 48)
                let room = CGRect(x: 0, y: -48, width: plane.size.width, height: plane.size.height + 48)
                XCTAssertTrue(room.insetBy(dx: -0.01, dy: -0.01).contains(popup.frame), "\(key.action)")
                for (index, text) in popup.texts.enumerated() {
                    XCTAssertEqual(popup.index(at: popup.frame(of: index).midX), index, "\(key.action) \(text)")
                }
                let finger = key.frame.midX - popup.frame.minX
                let first = popup.frame(of: 0)
                XCTAssertTrue((first.minX...first.maxX).contains(finger), "\(key.action) \(plane.size)")
                // Beside the pop-up the nearest is chosen.
                XCTAssertTrue([0, popup.texts.count - 1].contains(popup.index(at: -1000)))
                XCTAssertTrue([0, popup.texts.count - 1].contains(popup.index(at: 1000)))
                seen += 1
            }
        }
        XCTAssertGreaterThan(seen, 20)
    }

    func testATouchedLetterIsShownAboveItsKeyAsItWillBeTyped() throws {
        for plane in try planes() {
            for key in plane.keys {
                guard case .character(let text) = key.action else {
                    XCTAssertNil(key.preview(.off), "\(key.action)")
                    continue
                }
                XCTAssertEqual(key.preview(.off), text)
                XCTAssertEqual(key.preview(.locked), text.uppercased())
                let popup = KeyPopup([text], above: key.frame, width: plane.size.width, roomAbove: 48)
                XCTAssertLessThan(popup.frame.minY, key.frame.minY)
                XCTAssertEqual(popup.frame.midX, key.frame.midX, accuracy: key.frame.width)
            }
        }
    }

    func testAPanelLeavesRoomForTheText() {
        for (screen, keys) in [(568, 216), (844, 216), (390, 160), (1024, 264)] as [(CGFloat, CGFloat)] {
            let panel = KeyboardPlane.panelHeight(aboveKeys: keys, screenHeight: screen)
            XCTAssertGreaterThanOrEqual(panel, 88)
            XCTAssertLessThanOrEqual(panel + keys, screen * 0.81)
        }
    }
}
