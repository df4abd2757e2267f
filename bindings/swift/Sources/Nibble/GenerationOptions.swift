internal import NibbleBindings

/// What to generate and when to stop.
public struct GenerationOptions: Hashable, Sendable {
    /// Tokens to generate at most.
    public var maxTokens: Int
    /// Divides the logits; 0 takes the most probable token each time.
    public var temperature: Float
    /// Only the `topK` most probable tokens; 0 for all.
    public var topK: Int
    /// Only the most probable tokens that have this probability together; 1 for all.
    public var topP: Float
    /// Only tokens at least this many times as probable as the best one; 0 for all.
    public var minP: Float
    /// Makes tokens that came lately less likely; 1 for no effect.
    public var repetitionPenalty: Float
    /// How many tokens back ``repetitionPenalty`` looks.
    public var repetitionWindow: Int
    /// Seed of the random numbers: the same seed, model and prompt give the same text.
    public var seed: UInt64
    /// Texts that end the generation; only what comes before them is given out.
    public var stop: [String]
    /// Whether a token that ends the text ends the generation.
    public var stopsAtEndOfText: Bool
    /// Whether the names of special tokens in the prompt, such as `<|im_end|>`, are read as those tokens. Leave
    /// it off where the prompt holds what users typed.
    public var parsesSpecialTokens: Bool
    /// Tokens that are guessed ahead at most where the text repeats itself, up to 31; 0 for none. The text is the same
    /// as without, and comes faster where guesses are right.
    public var promptLookup: Int

    /// Options; what is not named is as usual.
    public init(
        maxTokens: Int = 256, temperature: Float = 0, topK: Int = 0, topP: Float = 1, minP: Float = 0,
        repetitionPenalty: Float = 1, repetitionWindow: Int = 64, seed: UInt64 = 0, stop: [String] = [],
        stopsAtEndOfText: Bool = true, parsesSpecialTokens: Bool = false, promptLookup: Int = 0
    ) {
        self.maxTokens = maxTokens
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.repetitionPenalty = repetitionPenalty
        self.repetitionWindow = repetitionWindow
        self.seed = seed
        self.stop = stop
        self.stopsAtEndOfText = stopsAtEndOfText
        self.parsesSpecialTokens = parsesSpecialTokens
        self.promptLookup = promptLookup
    }

    func generated() throws -> NibbleBindings.GenerationOptions {
        NibbleBindings.GenerationOptions(
            maxTokens: try unsigned(maxTokens, "max_tokens"),
            temperature: temperature,
            topK: try unsigned(topK, "top_k"),
            topP: topP,
            minP: minP,
            repetitionPenalty: repetitionPenalty,
            repetitionWindow: try unsigned(repetitionWindow, "repetition_window"),
            seed: seed,
            stop: stop,
            stopAtEndOfText: stopsAtEndOfText,
            parseSpecialTokens: parsesSpecialTokens,
            promptLookup: try unsigned(promptLookup, "prompt_lookup")
        )
    }
}
