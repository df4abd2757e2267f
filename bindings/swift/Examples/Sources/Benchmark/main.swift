// The calls of rust/nibble-keyboard/examples/bindings_baseline.rs, for scripts/bench-bindings.
//
// Arguments: MODEL LEXICON CONTEXTS. Prints p50 and p95 of a suggestion in microseconds and what the engine itself took of
// them at p95, tokens a second, and the percent of that time that was not spent in the model's passes.

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
let inEngine = try engine.stats.suggestP95.map { $0 / .microseconds(1) } ?? 0
engine.close()
times.sort()

let options = GenerationOptions(maxTokens: tokens + 1, stopsAtEndOfText: false)
let generation = try await model.makeSession().begin("Once upon a time", options: options)
var began = clock.now
for try await chunk in generation.chunks where chunk.generatedTokens == 1 {
    began = clock.now
}
let elapsed = began.duration(to: clock.now)
let rate = Double(tokens) / (elapsed / .seconds(1) as Double)
let inPasses: Double = try generation.stats.decodeTime / elapsed
let outside = 100 * (1 - inPasses)

let quantiles = [50, 95].map { percent in
    String(format: "%.1f", times[times.count * percent / 100] / .microseconds(1))
}
print(quantiles[0], quantiles[1], String(format: "%.1f %.2f %.3f", inEngine, rate, outside))
