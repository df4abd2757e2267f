import Foundation
import Nibble

let model = try await Model(contentsOf: URL(fileURLWithPath: CommandLine.arguments[1]))
for try await chunk in try model.makeSession().generate("Dear neighbours,") {
    print(chunk.text, terminator: "")
}
