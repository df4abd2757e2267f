import Nibble
import NibbleKeyboardAdapter
import SwiftUI

/// The playground as SwiftUI follows it.
@MainActor
final class PlaygroundScreen: ObservableObject {
    @Published private(set) var playground: Playground?
    @Published var message: String?
    private let app: AppModel

    init(_ app: AppModel) {
        self.app = app
    }

    func begin() async {
        do {
            let engine = try await app.makeEngine()
            guard !Task.isCancelled else { return engine.close() }
            let playground = Playground(engine: engine)
            playground.onChange = { [weak self] in self?.objectWillChange.send() }
            self.playground = playground
        } catch is CancellationError {
        } catch {
            message = error.localizedDescription
        }
    }

    /// The model's memory is given back while nobody looks.
    func end() {
        playground?.engine.close()
        playground = nil
    }

    var text: Binding<String> {
        Binding {
            self.playground?.text ?? ""
        } set: { text in
            self.work { try await $0.type(text) }
        }
    }

    func accept(_ suggestion: Suggestion) {
        work { try await $0.accept(suggestion) }
    }

    private func work(_ work: @escaping @MainActor (Playground) async throws -> Void) {
        guard let playground else { return }
        Task {
            do {
                try await work(playground)
            } catch {
                message = error.localizedDescription
            }
        }
    }
}

/// Type here, with any keyboard, and see what the engine does.
struct PlaygroundView: View {
    @StateObject var screen: PlaygroundScreen

    var body: some View {
        NavigationStack {
            List {
                Section("Text") {
                    TextField("Type here", text: screen.text, axis: .vertical)
                        .autocorrectionDisabled()
                    ScrollView(.horizontal) {
                        HStack {
                            ForEach(screen.playground?.suggestions ?? [], id: \.self) { suggestion in
                                Button(suggestion.text) { screen.accept(suggestion) }.buttonStyle(.bordered)
                            }
                        }
                    }
                }
                if let playground = screen.playground {
                    Section("Measured") {
                        ForEach(measured(playground), id: \.self) { LabeledContent($0.name, value: $0.value) }
                    }
                    Button("Clear", role: .destructive) { playground.clear() }
                }
                if let message = screen.message { Text(message).foregroundStyle(.red) }
            }
            .navigationTitle("Try it")
            .task { await screen.begin() }
            .onDisappear { screen.end() }
        }
    }

    private func measured(_ playground: Playground) -> [MeasuredValue] {
        (try? playground.engine.stats).map { MeasuredValue.all(playground.count, $0) } ?? []
    }
}
