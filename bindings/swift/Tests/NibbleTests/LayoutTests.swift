import Nibble
import XCTest

final class LayoutTests: XCTestCase {
    func testBuiltinLayouts() throws {
        XCTAssertEqual(Set(try KeyboardLayout.builtinNames), ["qwerty", "qwertz", "azerty", "jcuken"])
        for name in try KeyboardLayout.builtinNames {
            let layout = try KeyboardLayout(named: name)
            XCTAssertEqual(try layout.name, name)
            for key in try layout.keys(on: .letters) {
                XCTAssertEqual(try layout.key(on: .letters, x: key.x, y: key.y), key)
            }
            XCTAssertNil(try layout.key(on: .letters, x: try layout.width + 1, y: 0))
            XCTAssertGreaterThan(try layout.height, 0)
        }
        let german = try KeyboardLayout(named: "qwertz").keys(on: .letters).map(\.action)
        XCTAssertEqual(german.prefix(6).last, .character("z"))
        XCTAssertTrue(german.contains(.shift))
        XCTAssertTrue(german.contains(.showPage(.symbols)))
    }

    func testALayoutThatIsNone() {
        XCTAssertThrowsError(try KeyboardLayout(named: "dvorak")) { error in
            guard case NibbleError.invalidArgument(name: "layout", _, found: "dvorak", _) = error else {
                return XCTFail("\(error)")
            }
        }
        XCTAssertThrowsError(try KeyboardLayout(json: "{}"))
    }
}
