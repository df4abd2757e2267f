// The calls of rust/nibble-keyboard/examples/bindings_baseline.rs, for scripts/bench-bindings.
//
// Arguments: MODEL LEXICON CONTEXTS. Prints p50 and p95 of a suggestion in microseconds, and tokens a second.

import Foundation
import Nibble

/// Suggestions that are timed for each context.
let rounds = 100
/// Tokens that are generated.
let tokens = 128

let files = CommandLine.arguments.dropFirst().map { URL(fileURLWithPath: $0) }
let model = try await Model(contentsOf: files[0])
let contexts = try String(contentsOf: files[2], encoding: .utf8).split(separator: "\n")
let clock = ContinuousClock()

let engine = try TypingEngine(model: model, lexicons: [try Lexicon(contentsOf: files[1])])
var times: [Duration] = []
for before in contexts {
    let context = EditorContext(before: String(before))
    _ = try await engine.freshSuggestions(for: context, timeout: .seconds(60))
    try await engine.waitUntilIdle()
    for _ in 0..<rounds {
        times.append(try clock.measure { _ = try engine.suggest(context) })
    }
}
engine.close()
times.sort()

let options = GenerationOptions(maxTokens: tokens + 1, stopsAtEndOfText: false)
var chunks = try model.makeSession().generate("Once upon a time", options: options).makeAsyncIterator()
_ = try await chunks.next()
let began = clock.now
while try await chunks.next() != nil {}
let rate = Double(tokens) / (began.duration(to: clock.now) / .seconds(1))

func microseconds(_ percent: Int) -> String {
    String(format: "%.1f", times[times.count * percent / 100] / .microseconds(1))
}
print(microseconds(50), microseconds(95), String(format: "%.2f", rate))
