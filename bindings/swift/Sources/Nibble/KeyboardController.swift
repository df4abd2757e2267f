internal import NibbleBindings

/// A keyboard's whole behaviour as a state machine without input, output, threads or clocks.
///
/// The shell turns touches into events, carries out the actions and holds no rule of typing. Use it where the engine
/// is in another process; ``TypingSession`` joins the two in one. ``EngineRequest``, ``EngineNotice`` and
/// ``Suggestions`` cross between them as JSON.
public final class KeyboardController: Sendable {
    private let generated: NibbleBindings.KeyboardController

    /// A keyboard without a field; the first event of use is ``KeyboardEvent/focus(_:)``.
    public init(settings: KeyboardSettings = KeyboardSettings()) throws {
        generated = try translatingErrors {
            try NibbleBindings.KeyboardController(settings: try settings.generated())
        }
    }

    /// Takes an event and says what the shell is to do, in order. An event that makes no sense now has no effect.
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

    /// ``handle(_:at:)`` with the event and the actions as JSON, in the form that the scenario files use:
    /// `{"time": 100, "character": {"text": "a"}}` gives an array of actions.
    public func handle(json event: String) throws -> String {
        try translatingErrors { try generated.handleJson(event: event) }
    }

    /// The text field as it will be when all edits have arrived; empty in secure fields.
    public var mirror: EditorText {
        get throws { EditorText(try translatingErrors { try generated.mirror() }) }
    }

    /// Whether the field's text is in doubt, because an answer to a reading of it is out.
    public var isUnsure: Bool {
        get throws { try translatingErrors { try generated.unsure() } }
    }

    /// The epoch of the text: an answer of the engine for another one has no effect.
    public var epoch: UInt64 {
        get throws { try translatingErrors { try generated.epoch() } }
    }
}
