import Nibble
import NibbleKeyboardAdapter

/// A behaviour whose events and actions can be looked at. Used by one thread.
final class RecordedBehaviour: KeyboardBehaviour, @unchecked Sendable {
    private let behaviour: any KeyboardBehaviour
    private(set) var events: [KeyboardEvent] = []
    private var actions: [KeyboardAction] = []

    init(_ behaviour: any KeyboardBehaviour) {
        self.behaviour = behaviour
    }

    func handle(_ event: KeyboardEvent, at time: Duration?) throws -> [KeyboardAction] {
        events.append(event)
        let actions = try behaviour.handle(event, at: time)
        self.actions += actions
        return actions
    }

    var mirror: EditorText { get throws { try behaviour.mirror } }

    /// The actions since the last time.
    func takeActions() -> [KeyboardAction] {
        defer { actions = [] }
        return actions
    }
}
