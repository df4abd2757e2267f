/// When a keyboard has to do something although nothing is touched: hear the model, look for ghost text, and say that
/// nothing but time passed.
struct TypingTimer {
    /// Between two looks for the model's answer.
    static let pollInterval = Duration.milliseconds(8)
    /// Between the last event and the first look for ghost text.
    static let foreseeDelay = Duration.milliseconds(350)
    /// Between two looks for ghost text.
    static let foreseeInterval = Duration.milliseconds(60)
    /// Looks for ghost text after an event: a phrase that is not there by then is not sure enough.
    static let foreseeLimit = 20
    /// Between the last event and the event `idle`.
    static let idleDelay = Duration.seconds(1)

    private(set) var lastEvent: Duration?
    private var nextPoll = Duration.zero
    private var nextForesee = Duration.zero
    private var foreseesLeft = 0
    private var isIdleTold = true

    /// The user did something.
    mutating func touched(at time: Duration) {
        lastEvent = time
        nextPoll = time
        nextForesee = time + Self.foreseeDelay
        foreseesLeft = Self.foreseeLimit
        isIdleTold = false
    }

    /// The keyboard is not used: nothing is due.
    mutating func stop() {
        lastEvent = nil
        foreseesLeft = 0
        isIdleTold = true
    }

    /// When something is due next; `nil` for never.
    func next(awaitsModel: Bool, hasGhost: Bool) -> Duration? {
        guard let lastEvent else { return nil }
        var due: [Duration] = []
        if awaitsModel { due.append(nextPoll) }
        if foreseesLeft > 0 && !hasGhost && !awaitsModel { due.append(nextForesee) }
        if !isIdleTold { due.append(lastEvent + Self.idleDelay) }
        return due.min()
    }

    mutating func takePoll(at time: Duration) -> Bool {
        guard lastEvent != nil, time >= nextPoll else { return false }
        nextPoll = time + Self.pollInterval
        return true
    }

    mutating func takeForesee(at time: Duration) -> Bool {
        guard foreseesLeft > 0, time >= nextForesee else { return false }
        foreseesLeft -= 1
        nextForesee = time + Self.foreseeInterval
        return true
    }

    mutating func takeIdle(at time: Duration) -> Bool {
        guard let lastEvent, !isIdleTold, time >= lastEvent + Self.idleDelay else { return false }
        isIdleTold = true
        return true
    }
}
