internal import NibbleBindings

extension TypingEngine {
    /// How the engine's model is.
    public enum ModelState: Hashable, Sendable {
        /// There is none.
        case absent
        /// It is being prepared.
        case loading
        /// It answers.
        case ready
        /// It failed for good, until a model is set again. `code` is the error's exact name.
        case failed(code: String)

        init(_ state: NibbleBindings.ModelState) {
            switch state {
            case .absent: self = .absent
            case .loading: self = .loading
            case .ready: self = .ready
            case .failed(let code): self = .failed(code: code)
            }
        }
    }

    /// Counts and times; no text. Times are `nil` where nothing was measured.
    public struct Stats: Hashable, Sendable {
        /// Forward calls, of whatever purpose, aborted ones included.
        public let passes: UInt64
        /// Those of look-ahead that were not asked for while they ran.
        public let speculativePasses: UInt64
        /// Those of phrases.
        public let phrasePasses: UInt64
        /// Those of words of several tokens.
        public let expansionPasses: UInt64
        /// Pieces of work that newer work aborted.
        public let aborted: UInt64
        /// Pieces of work that failed.
        public let failed: UInt64
        /// Boundaries that were asked for and known.
        public let cacheHits: UInt64
        /// Boundaries that were asked for and had to be computed.
        public let cacheMisses: UInt64
        /// Median of a pass.
        public let passP50: Duration?
        /// 95th percentile of a pass.
        public let passP95: Duration?
        /// Median of a suggestion.
        public let suggestP50: Duration?
        /// 95th percentile of a suggestion.
        public let suggestP95: Duration?
        /// Bytes of memory of boundaries, the vocabulary's index and the words.
        public let memoryBytes: UInt64

        init(_ stats: TypingStats) {
            passes = stats.passes
            speculativePasses = stats.speculativePasses
            phrasePasses = stats.phrasePasses
            expansionPasses = stats.expansionPasses
            aborted = stats.aborted
            failed = stats.failed
            cacheHits = stats.cacheHits
            cacheMisses = stats.cacheMisses
            passP50 = stats.passP50Milliseconds.map { .milliseconds($0) }
            passP95 = stats.passP95Milliseconds.map { .milliseconds($0) }
            suggestP50 = stats.suggestP50Milliseconds.map { .milliseconds($0) }
            suggestP95 = stats.suggestP95Milliseconds.map { .milliseconds($0) }
            memoryBytes = stats.memoryBytes
        }
    }
}
