// On Apple's systems the library is linked statically, and nothing can come before its functions.
#if os(Linux)
    import Foundation
    import Nibble
    import NibbleFFI
    import XCTest

    /// Lexicons at this path are asked for with a buffer that no caller may make: over it the library panics.
    private let brokenPath = "/a path that does not arrive.lex"

    private typealias OpenLexicon = @convention(c) (RustBuffer, UnsafeMutablePointer<RustCallStatus>) -> UInt64

    /// Comes before the library's function of this name, because a program's own functions do, and passes on to it.
    @_cdecl("uniffi_nibble_ffi_fn_constructor_lexicon_open")
    func openLexicon(path: RustBuffer, status: UnsafeMutablePointer<RustCallStatus>) -> UInt64 {
        let next = UnsafeMutableRawPointer(bitPattern: -1)
        guard let function = dlsym(next, "uniffi_nibble_ffi_fn_constructor_lexicon_open") else {
            fatalError("the library has no function that opens a lexicon")
        }
        let open = unsafeBitCast(function, to: OpenLexicon.self)
        let bytes = UnsafeBufferPointer(start: path.data, count: Int(path.len))
        guard String(decoding: bytes, as: UTF8.self) == brokenPath else { return open(path, status) }
        ffi_nibble_ffi_rustbuffer_free(path, status)
        return open(RustBuffer(capacity: path.capacity, len: path.len, data: nil), status)
    }

    final class PanicTests: XCTestCase {
        func testAPanicOfTheLibraryIsAnErrorAndTheProcessGoesOn() throws {
            for _ in 0..<3 {
                XCTAssertThrowsError(try Lexicon(contentsOf: URL(fileURLWithPath: brokenPath))) { error in
                    guard case NibbleError.internal(let details) = error else { return XCTFail("\(error)") }
                    XCTAssertEqual(details.code, "internal")
                    XCTAssertTrue(details.message.contains("null RustBuffer"), details.message)
                }
            }
            let lexicon = try Lexicon(contentsOf: Places.englishLexicon)
            XCTAssertNotNil(try lexicon.logFrequency(of: "hello"))
            let absent = URL(fileURLWithPath: "/absent.lex")
            XCTAssertThrowsError(try Lexicon(contentsOf: absent)) { error in
                guard case NibbleError.notFound = error else { return XCTFail("\(error)") }
            }
        }
    }
#endif
