import Foundation
import Nibble

/// A count or a time, as the playground and the keyboard's own panel show it.
public struct MeasuredValue: Hashable, Sendable {
    /// What was measured.
    public let name: String
    /// How much; a dash where nothing was measured yet.
    public let value: String

    init(_ name: String, _ value: String?) {
        self.name = name
        self.value = value ?? "–"
    }

    /// What is shown of keys and engine.
    public static func all(_ count: KeystrokeCount, _ stats: TypingEngine.Stats) -> [MeasuredValue] {
        [
            MeasuredValue("Keystrokes saved", count.saved.map { "\(decimal($0 * 100)) %" }),
            MeasuredValue("Keys", "\(count.keys)"),
            MeasuredValue("Characters", "\(count.characters)"),
            MeasuredValue("Passes of the model", "\(stats.passes)"),
            MeasuredValue("A pass, median", stats.passP50.map(milliseconds)),
            MeasuredValue("A suggestion, 95 %", stats.suggestP95.map(milliseconds)),
        ]
    }

    private static func milliseconds(_ duration: Duration) -> String { "\(decimal(duration.timeInterval * 1000)) ms" }

    private static func decimal(_ value: Double) -> String { String(format: "%.1f", locale: .current, value) }
}
