internal import NibbleBindings

/// Suggests words for what is being typed.
///
/// ``suggest(_:)`` answers in microseconds, from lexicons and user model alone until the model has been heard on
/// the present word boundary, which costs one pass of the model for each word and none inside it. Where an answer
/// is not fresh, ``freshSuggestions(for:timeout:)`` waits for the model without blocking a thread of yours.
///
/// Everything may be called from any thread.
public final class TypingEngine: Sendable {
    let generated: Completer
    /// The model that was set last, to be had again after memory was short.
    private let model: Locked<Model?>

    /// An engine over these lexicons.
    ///
    /// - Parameters:
    ///   - model: Is prepared in the background; until then, and without one, lexicons and user model answer.
    ///   - lexicons: One for each language that is typed.
    ///   - user: Where what the user types is learned. It belongs to the engine from then on.
    ///   - options: How the engine works.
    public init(
        model: Model? = nil, lexicons: [Lexicon], user: UserModel? = nil, options: Options = Options()
    ) throws {
        generated = try translatingErrors {
            try Completer(
                model: model?.generated,
                lexicons: lexicons.map(\.generated),
                user: user?.generated,
                options: try options.generated()
            )
        }
        self.model = Locked(model)
    }

    // MARK: Suggestions

    /// Suggestions for a text field, best first. Never runs the model and never waits for it.
    ///
    /// - Parameter taps: Where the letters of the begun word were touched, in key widths of the layout: one point
    ///   for each. Other numbers of points are taken for none.
    public func suggest(_ context: EditorContext, taps: [Tap] = []) throws -> Suggestions {
        try translatingErrors {
            guard !taps.isEmpty else {
                return Suggestions(try generated.suggest(context: context.generated))
            }
            let taps = taps.map(\.generated)
            return Suggestions(try generated.suggestTapped(context: context.generated, taps: taps))
        }
    }

    /// ``suggest(_:taps:)`` once the model has been heard, or when the time is over or the model cannot answer.
    ///
    /// - Throws: `CancellationError` where the task is cancelled meanwhile; ``NibbleError``.
    public func freshSuggestions(
        for context: EditorContext, timeout: Duration = .seconds(10)
    ) async throws -> Suggestions {
        let clock = ContinuousClock()
        let end = clock.now.advanced(by: timeout)
        let completer = generated
        let context = context.generated
        while true {
            try Task.checkCancellation()
            // Short waits, so that a cancelled task does not keep a thread.
            let began = clock.now
            let wait = min(.milliseconds(50), began.duration(to: end)).wholeMilliseconds
            let answer = try await BlockingWork.waiting.run {
                Suggestions(try completer.waitFresh(context: context, timeoutMilliseconds: wait))
            }
            let gaveUp = began.duration(to: clock.now).wholeMilliseconds < wait
            if answer.isFresh || gaveUp || clock.now >= end { return answer }
        }
    }

    /// A better answer for the context that was last asked about, if its answer was not fresh and the model has
    /// been heard since.
    public func poll() throws -> Suggestions? {
        try translatingErrors { try generated.poll() }.map(Suggestions.init)
    }

    /// The answer to a request of a ``KeyboardController``.
    public func answer(_ request: EngineRequest) throws -> Suggestions {
        Suggestions(try translatingErrors { try generated.answer(request: request.generated) })
    }

    /// How the text goes on for several words, where the model is sure enough; the suggestion replaces the begun
    /// word. Asks for it, and gives it on a later call: call it when nothing is typed for a moment.
    public func ghost(_ context: EditorContext) throws -> Suggestion? {
        try translatingErrors { try generated.ghost(context: context.generated) }.map(Suggestion.init)
    }

    /// Changes how many suggestions an answer has.
    public func setSlots(_ slots: Int) throws {
        try translatingErrors { try generated.setSlots(slots: try unsigned(slots, "slots")) }
    }

    /// Messages before the field, oldest first, which the model reads before its text. They are forgotten on
    /// ``blur()``.
    public func setConversation(_ messages: [String]) throws {
        try translatingErrors { try generated.setConversation(messages: messages) }
    }

    // MARK: What the user does

    /// The user took a suggestion of the last answer: its words are learned, where the field learns.
    public func accept(_ suggestion: Suggestion) throws {
        try translatingErrors { try generated.accept(suggestion: try suggestion.generated()) }
    }

    /// The user finished words: `text` stands after `before` and was gone on from. They are learned, where the
    /// field learns.
    public func commit(_ text: String, after before: String = "") throws {
        try translatingErrors { try generated.commit(before: before, text: text) }
    }

    /// The user took a correction back: `typed` stands again, and is not corrected from now on.
    public func revert(to typed: String) throws {
        try translatingErrors { try generated.revert(typed: typed) }
    }

    /// Typing begins in a field: a secure one forgets all text; any other has its primer read ahead.
    public func focus(_ field: FieldKind) throws {
        try translatingErrors { try generated.focus(field: field.generated) }
    }

    /// Typing ended: work stops, the text and the conversation are forgotten.
    public func blur() throws {
        try translatingErrors { try generated.blur() }
    }

    /// What a ``KeyboardController`` has to tell the engine.
    public func notify(_ notice: EngineNotice) throws {
        try translatingErrors { try generated.notify(notice: try notice.generated()) }
    }

    /// Forgets all text and everything derived from it. The model and what the user taught stay.
    public func reset() throws {
        try translatingErrors { try generated.reset() }
    }

    // MARK: The model

    /// Changes the model. `nil` gives its memory back; suggestions then come from the lexicons until there is one
    /// again.
    public func setModel(_ model: Model?) throws {
        try self.model.withLock { current in
            try translatingErrors { try generated.setModel(model: model?.generated) }
            current = model
        }
    }

    /// How the model is.
    public var modelState: ModelState {
        get throws { ModelState(try translatingErrors { try generated.modelState() }) }
    }

    /// Does what is possible where memory is short: at a warning, what was computed for the present text goes; when
    /// it is critical, the model goes too, and suggestions come from the lexicons until it is normal again.
    ///
    /// ``MemoryPressureMonitor`` calls it on Apple's systems.
    public func handleMemoryPressure(_ pressure: MemoryPressure) throws {
        try model.withLock { model in
            try translatingErrors {
                switch pressure {
                case .normal:
                    if let model, try generated.modelState() == .absent {
                        try generated.setModel(model: model.generated)
                    }
                case .warning:
                    try generated.reset()
                case .critical:
                    try generated.setModel(model: nil)
                }
            }
        }
    }

    // MARK: Measuring and ending

    /// Counts and times so far.
    public var stats: Stats {
        get throws { Stats(try translatingErrors { try generated.stats() }) }
    }

    /// Waits until the model is prepared, or has failed, and has nothing to do. For measurements and tests.
    public func waitUntilIdle(timeout: Duration = .seconds(60)) async throws {
        let completer = generated
        try await BlockingWork.waiting.run {
            try completer.waitIdle(timeoutMilliseconds: timeout.wholeMilliseconds)
        }
    }

    /// Gives the engine up now instead of with the last reference, with the user model. Typing sessions that were
    /// made with it keep it until they are closed.
    public func close() {
        // Giving up cannot fail, and there would be nothing to do about it.
        try? generated.release()
    }
}
