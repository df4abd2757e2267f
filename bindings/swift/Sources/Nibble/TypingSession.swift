internal import NibbleBindings

/// A keyboard whose engine is in its own process: events in, actions out.
///
/// Requests and notices of the controller are carried out on the way and do not occur among the actions. No call waits
/// for the model; while ``awaitsModel`` is true, call ``poll(at:)`` again in some milliseconds.
public final class TypingSession: Sendable {
    private let generated: NibbleBindings.TypingSession

    /// A keyboard without a field; the first event of use is ``KeyboardEvent/focus(_:)``. The engine's slots become
    /// those of the settings.
    public init(engine: TypingEngine, settings: KeyboardSettings = KeyboardSettings()) throws {
        generated = try translatingErrors {
            try NibbleBindings.TypingSession(
                completer: engine.generated, settings: try settings.generated())
        }
    }

    /// Takes an event and says what the shell is to do, in order.
    ///
    /// - Parameter time: Of a clock that never runs backwards, whatever its origin; `nil` for the system's uptime.
    ///   Counts in milliseconds.
    public func handle(_ event: KeyboardEvent, at time: Duration? = nil) throws -> [KeyboardAction] {
        try translatingErrors {
            let time = (time ?? .uptime).wholeMilliseconds
            let event = TimedEvent(time: time, event: try event.generated())
            return try generated.handle(event: event).map(KeyboardAction.init)
        }
    }

    /// ``handle(_:at:)`` with the event and the actions as JSON, as in the scenario files.
    public func handle(json event: String) throws -> String {
        try translatingErrors { try generated.handleJson(event: event) }
    }

    /// Takes the model's answer to the latest request, if it came since; no actions where it did not.
    public func poll(at time: Duration? = nil) throws -> [KeyboardAction] {
        try translatingErrors {
            try generated.poll(time: (time ?? .uptime).wholeMilliseconds).map(KeyboardAction.init)
        }
    }

    /// Whether a model that is ready was not heard yet on the latest request.
    public var awaitsModel: Bool {
        get throws { try translatingErrors { try generated.awaitsModel() } }
    }

    /// Looks for ghost text, for when nothing was typed for a moment. It may take passes in the background; then the text
    /// is there on a later call, until the next key.
    public func foresee(at time: Duration? = nil) throws -> [KeyboardAction] {
        try translatingErrors {
            try generated.foresee(time: (time ?? .uptime).wholeMilliseconds).map(KeyboardAction.init)
        }
    }

    /// Throws what went wrong with the user model since the last call, if anything did. Nothing is learned where it
    /// fails; everything else works on.
    public func checkLearning() throws {
        try translatingErrors { try generated.checkLearning() }
    }

    /// The text field as it will be when all edits have arrived; empty in secure fields.
    public var mirror: EditorText {
        get throws { EditorText(try translatingErrors { try generated.mirror() }) }
    }

    /// Whether the field's text is in doubt, because an answer to a reading of it is out.
    public var isUnsure: Bool {
        get throws { try translatingErrors { try generated.unsure() } }
    }

    /// Gives the session up now instead of with the last reference, and the engine with it where nobody else has it.
    public func close() {
        // Giving up cannot fail, and there would be nothing to do about it.
        try? generated.release()
    }
}
