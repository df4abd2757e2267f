import Foundation
import Nibble

/// Keeps a keyboard extension within its memory: gives the model up when it is not needed or too dear, and picks it up
/// again when that is over. Without the model the engine answers from its lexicons, so that typing never stops.
@MainActor
public final class MemoryGovernor {
    /// What an extension may take.
    public struct Budget: Hashable, Sendable {
        /// Bytes of dirty memory of the whole process.
        public var limit: UInt64
        /// How long the model stays away after it was too dear; twice as long every time.
        public var retryDelay: Duration

        /// A budget; what is not named is as usual.
        public init(limit: UInt64 = 44 << 20, retryDelay: Duration = .seconds(20)) {
            self.limit = limit
            self.retryDelay = retryDelay
        }

        /// A budget that stays below the limit at which the system ends the process; `nil` where it is not known. Apple
        /// does not publish that of extensions; keyboards report some 48 to 66 MB.
        public init(processLimit: UInt64?) {
            self.init()
            if let processLimit { limit = processLimit - min(processLimit, Self.margin) }
        }

        /// What a key takes for a moment, and what is taken between two checks.
        static let margin: UInt64 = 8 << 20
    }

    /// How the model is.
    public enum State: Hashable, Sendable {
        /// Not here: not needed, too dear, or there is none.
        case absent
        /// Being opened.
        case opening
        /// With the engine.
        case present
    }

    /// How the model is.
    public private(set) var state = State.absent
    /// Called with what went wrong while the model was opened.
    public var onError: (any Error) -> Void = { _ in }

    private let engine: TypingEngine
    private let budget: Budget
    private let footprint: () -> UInt64?
    private let trial: URL?
    private let open: @Sendable () async throws -> Model?
    private var isNeeded = false
    private var notBefore: Duration?
    private var timesTooDear = 0
    /// Bytes that the model took, as far as it was seen.
    private var cost: UInt64 = 0
    /// Bytes that the process took when the model was given up; `nil` once they were seen to become fewer. The engine
    /// may be in the middle of work with the model, and frees it afterwards.
    private var beforeDrop: UInt64?
    private var opening: Task<Void, Never>?

    /// A governor for the model of `engine`.
    ///
    /// - Parameters:
    ///   - budget: What the process may take.
    ///   - footprint: Bytes that it takes now; `nil` where that is not known.
    ///   - trial: A file that is there from before the model is opened until it was seen to fit. Where an earlier
    ///     process left it, the model ended that process, and stays away for a day; `nil` for no such file.
    ///   - open: Opens the model; `nil` where none is installed.
    public init(
        engine: TypingEngine, budget: Budget = Budget(),
        footprint: @escaping () -> UInt64? = ProcessMemory.footprint, trial: URL? = nil,
        open: @escaping @Sendable () async throws -> Model?
    ) {
        self.engine = engine
        self.budget = budget
        self.footprint = footprint
        self.trial = trial
        self.open = open
    }

    /// The keyboard appeared.
    public func appear(at time: Duration) {
        isNeeded = true
        timesTooDear = 0
        notBefore = nil
        check(at: time)
    }

    /// The keyboard disappeared. Its process may live on, and must not keep memory for it.
    public func disappear() {
        isNeeded = false
        drop()
        // What goes with the keyboard itself would be taken for the model's.
        beforeDrop = nil
    }

    /// The system is short of memory.
    public func handleMemoryPressure(_ pressure: MemoryPressure, at time: Duration) {
        switch pressure {
        case .normal: check(at: time)
        case .warning, .critical: stayAway(at: time)
        }
    }

    /// Compares memory with the budget. Call it every few seconds while the keyboard is shown.
    public func check(at time: Duration) {
        let footprint = footprint() ?? 0
        switch state {
        case .present, .opening:
            if footprint > budget.limit {
                stayAway(at: time)
            } else if state == .present {
                endTrial()
            }
        case .absent:
            if let before = beforeDrop, let after = self.footprint(), after < before {
                cost = max(cost, before - after)
                beforeDrop = nil
            }
            guard isNeeded, footprint + cost <= budget.limit else { return }
            if let notBefore, time < notBefore { return }
            pickUp()
        }
    }

    /// Waits until a model that is being opened is here, or is known not to come.
    public func finishOpening() async {
        await opening?.value
    }

    private func stayAway(at time: Duration) {
        notBefore = time + budget.retryDelay * (1 << min(timesTooDear, 6))
        timesTooDear += 1
        drop()
    }

    private func drop() {
        opening?.cancel()
        opening = nil
        guard state != .absent else { return }
        endTrial()
        beforeDrop = footprint()
        state = .absent
        do {
            try engine.setModel(nil)
        } catch {
            onError(error)
        }
    }

    private func pickUp() {
        guard beginTrial() else {
            isNeeded = false
            return
        }
        state = .opening
        beforeDrop = nil
        let open = open
        opening = Task { [weak self] in
            do {
                let model = try await open()
                guard let self, !Task.isCancelled else { return }
                try self.engine.setModel(model)
                self.state = model == nil ? .absent : .present
                // One that is not installed is not looked for again before the keyboard appears again.
                if model == nil {
                    self.isNeeded = false
                    self.endTrial()
                }
            } catch {
                guard let self, !Task.isCancelled else { return }
                self.state = .absent
                self.isNeeded = false
                self.endTrial()
                self.onError(error)
            }
        }
    }

    /// Says whether the model may be opened, and leaves a mark that it was.
    private func beginTrial() -> Bool {
        guard let trial else { return true }
        let now = Date().timeIntervalSince1970
        if let left = try? String(contentsOf: trial, encoding: .utf8), now - (TimeInterval(left) ?? 0) < Self.trialPause {
            return false
        }
        do {
            try Data("\(now)".utf8).write(to: trial)
        } catch {
            onError(error)
        }
        return true
    }

    private func endTrial() {
        guard let trial else { return }
        try? FileManager.default.removeItem(at: trial)
    }

    /// In seconds.
    private static let trialPause: TimeInterval = 24 * 60 * 60
}
