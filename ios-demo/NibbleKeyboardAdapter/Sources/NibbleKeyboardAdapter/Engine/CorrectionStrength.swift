import Nibble

/// How readily mistyped words are replaced.
public enum CorrectionStrength: String, Codable, CaseIterable, Sendable {
    /// Never; corrections are only offered.
    case off
    /// Only what is hardly in doubt.
    case cautious
    /// As usual.
    case normal

    /// How sure a correction must be.
    public var thresholds: TypingEngine.CorrectionThresholds {
        let usual = TypingEngine.CorrectionThresholds()
        guard self == .cautious else { return usual }
        // In log odds: some four times as sure.
        return TypingEngine.CorrectionThresholds(
            known: usual.known + 1.5, unknown: usual.unknown + 1.5, unknownShort: usual.unknownShort + 1.5)
    }
}
