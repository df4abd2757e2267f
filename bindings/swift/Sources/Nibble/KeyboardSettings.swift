internal import NibbleBindings

/// What the user can set about typing.
public struct KeyboardSettings: Hashable, Sendable {
    /// Language of the text as a BCP 47 tag: spacing around punctuation, abbreviations, capitals.
    public var language: String
    /// Suggestions in the strip; the typed word beside a pending correction is not counted.
    public var slots: Int
    /// Whether a mistyped word is replaced when it ends.
    public var autocorrects: Bool
    /// Whether sentences begin with a capital by themselves.
    public var capitalizes: Bool
    /// Whether two spaces in quick succession end a sentence.
    public var doubleSpaceEndsSentence: Bool

    /// Settings; what is not named is as usual.
    public init(
        language: String = "en", slots: Int = 3, autocorrects: Bool = true, capitalizes: Bool = true,
        doubleSpaceEndsSentence: Bool = true
    ) {
        self.language = language
        self.slots = slots
        self.autocorrects = autocorrects
        self.capitalizes = capitalizes
        self.doubleSpaceEndsSentence = doubleSpaceEndsSentence
    }

    /// Settings from JSON, in the form that the scenario files use; what is not named is as usual.
    public init(json: String) throws {
        let settings = try translatingErrors { try settingsFromJson(json: json) }
        language = settings.language
        slots = Int(settings.slots)
        autocorrects = settings.autocorrect
        capitalizes = settings.autoCapitals
        doubleSpaceEndsSentence = settings.doubleSpace
    }

    func generated() throws -> NibbleBindings.KeyboardSettings {
        NibbleBindings.KeyboardSettings(
            language: language, slots: try unsigned(slots, "slots"), autocorrect: autocorrects,
            autoCapitals: capitalizes, doubleSpace: doubleSpaceEndsSentence)
    }
}
