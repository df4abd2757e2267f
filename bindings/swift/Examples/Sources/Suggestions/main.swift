import Foundation
import Nibble

let files = CommandLine.arguments.dropFirst().map { URL(fileURLWithPath: $0) }
let engine = try TypingEngine(
    model: try await Model(contentsOf: files[0]), lexicons: [try Lexicon(contentsOf: files[1])])
let context = EditorContext(before: "Could you please send me the rep")
for suggestion in try await engine.freshSuggestions(for: context).items {
    print(suggestion.text)
}
