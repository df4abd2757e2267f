internal import NibbleBindings

extension TypingEngine {
    /// How a typing engine works.
    public struct Options: Sendable {
        /// Suggestions that an answer has.
        public var slots = 3
        /// Whether mistyped words are corrected.
        public var corrects = true
        /// Keys of the keyboard, for corrections; `nil` for `qwerty`.
        public var layout: KeyboardLayout?
        /// How sure a correction must be to be made without asking.
        public var thresholds = CorrectionThresholds()
        /// How model, lexicons and user are mixed.
        public var weights = WordWeights()
        /// What the model reads before the text; `nil` for the built-in primers.
        public var primers: Primers?
        /// Emoji that words bring to mind.
        public var emoji: EmojiTable?
        /// Whether words are suggested that a lexicon marks as offensive. What is typed is never filtered.
        public var suggestsOffensiveWords = false
        /// Whether an idle model looks for words of several tokens inside a word, which costs passes: for
        /// languages whose words seldom are single tokens.
        public var expands = false
        /// Whether an idle model reads the word on that is probably being typed. Hides most of the wait at the
        /// next boundary and costs passes.
        public var looksAhead = false
        /// Probability from which on a word is read ahead.
        public var lookAheadThreshold: Float = 0.5
        /// Probability that a phrase of ghost text has at least, all its words together.
        public var phraseThreshold: Float = 0.3
        /// Bytes that the boundaries visited last may take.
        public var cacheBytes: UInt64 = 6 << 20

        /// The usual options.
        public init() {}

        func generated() throws -> CompleterOptions {
            CompleterOptions(
                slots: try unsigned(slots, "slots"),
                corrections: corrects,
                layout: layout?.generated,
                thresholds: thresholds.generated,
                weights: weights.generated,
                primers: primers?.generated,
                emoji: emoji?.generated,
                suggestOffensive: suggestsOffensiveWords,
                expand: expands,
                lookAhead: looksAhead,
                lookAheadThreshold: lookAheadThreshold,
                phraseThreshold: phraseThreshold,
                cacheBytes: cacheBytes
            )
        }
    }

    /// How sure a correction must be to be made without asking, as log odds.
    public struct CorrectionThresholds: Hashable, Sendable {
        /// Against a word of the lexicon.
        public var known: Float
        /// Against a word that no lexicon has.
        public var unknown: Float
        /// Against an unknown word of fewer than four letters.
        public var unknownShort: Float

        /// Thresholds; what is not named is as usual.
        public init(known: Float = 2.5, unknown: Float = 1, unknownShort: Float = 1) {
            self.known = known
            self.unknown = unknown
            self.unknownShort = unknownShort
        }

        var generated: NibbleBindings.CorrectionThresholds {
            NibbleBindings.CorrectionThresholds(known: known, unknown: unknown, unknownShort: unknownShort)
        }
    }

    /// How model, lexicons and user are mixed.
    public struct WordWeights: Hashable, Sendable {
        /// Part of the lexicons beside the model: for rare words.
        public var lexicon: Float
        /// Part of its probability that a token keeps which looks like a word and is in no lexicon.
        public var unlisted: Float
        /// Part of what the user has typed, as far as it is known, beside everything else.
        public var user: Float

        /// Weights; what is not named is as usual.
        public init(lexicon: Float = 0.05, unlisted: Float = 0.3, user: Float = 0.15) {
            self.lexicon = lexicon
            self.unlisted = unlisted
            self.user = user
        }

        var generated: NibbleBindings.WordWeights {
            NibbleBindings.WordWeights(lexicon: lexicon, unlisted: unlisted, user: user)
        }
    }

    /// What the model reads before the text of each kind of field: a few lines in its style.
    public struct Primers: Hashable, Sendable {
        /// For messages, and fields of which nothing is known.
        public var message: String
        /// For e-mail.
        public var email: String
        /// For notes and documents.
        public var note: String
        /// For search boxes.
        public var search: String

        /// Primers; what is not named is empty.
        public init(message: String = "", email: String = "", note: String = "", search: String = "") {
            self.message = message
            self.email = email
            self.note = note
            self.search = search
        }

        /// Those that are used where none are given.
        public static var builtin: Primers {
            get throws {
                let primers = try translatingErrors { try builtinPrimers() }
                return Primers(
                    message: primers.message, email: primers.email, note: primers.note,
                    search: primers.search)
            }
        }

        var generated: NibbleBindings.Primers {
            NibbleBindings.Primers(message: message, email: email, note: note, search: search)
        }
    }
}
