import Nibble

/// What a generation gave out.
struct Generated: Equatable {
    var text = ""
    var tokens: [UInt32] = []
    var stopReason: StopReason?
}

extension AsyncThrowingStream<Chunk, any Error> {
    /// All of it.
    func collect() async throws -> Generated {
        var all = Generated()
        for try await chunk in self {
            all.text += chunk.text
            if let token = chunk.token { all.tokens.append(token) }
            all.stopReason = chunk.stopReason
        }
        return all
    }
}

/// A good two hundred tokens.
let longPrompt = String(repeating: "The train from the coast was late again, and nobody knew why. ", count: 16)

extension Session {
    /// Tokens that the session holds, once its work has ended.
    func tokenCountWhenDone() async throws -> Int {
        while true {
            do {
                return try tokenCount
            } catch NibbleError.busy {
                try await Task.sleep(for: .milliseconds(1))
            }
        }
    }
}
