import Combine
import Foundation
import Nibble
import NibbleKeyboardAdapter

/// What the app's screens show and do.
@MainActor
final class AppModel: ObservableObject {
    /// The name of the default model, which ios-demo/prepare puts into the app.
    private static let defaultModel = "SmolLM2-135M-Instruct.Q4_1"

    /// What the user set. Written at every change.
    @Published var preferences: Preferences {
        didSet { attempt { try preferences.write(to: container.preferences) } }
    }
    /// Models that are installed.
    @Published private(set) var models: [SharedContainer.InstalledModel] = []
    /// How far an import is; `nil` for none.
    @Published private(set) var progress: ModelImport.Progress?
    /// What went wrong last.
    @Published var message: String?
    private let container: SharedContainer
    private var importing: Task<Void, Never>?

    init() {
        // Without the group, as in an app that was signed without it, the app works and the keyboard has no model.
        let container = SharedContainer.ofAppGroup ?? SharedContainer(folder: URL.documentsDirectory)
        self.container = container
        do {
            preferences = try Preferences.read(from: container.preferences)
        } catch {
            preferences = Preferences()
            message = error.localizedDescription
        }
    }

    /// Imports the model that came with the app, the first time.
    func begin() async {
        if importing == nil { ModelImport(into: container).removeUnfinished() }
        refresh()
        guard models.isEmpty,
            let bundled = Bundle.main.url(forResource: Self.defaultModel, withExtension: "gguf")
        else { return }
        // The system has checked the app's own files by its signature.
        add(bundled)
    }

    /// Imports a file, such as one that the user picked.
    func add(_ file: URL) {
        guard importing == nil else { return }
        let container = container
        progress = .copying(done: 0, total: 1)
        importing = Task {
            let isScoped = file.startAccessingSecurityScopedResource()
            defer { if isScoped { file.stopAccessingSecurityScopedResource() } }
            do {
                _ = try await ModelImport(into: container).run(file) { step in
                    Task { @MainActor [weak self] in if self?.importing != nil { self?.progress = step } }
                }
            } catch is CancellationError {
            } catch {
                message = error.localizedDescription
            }
            importing = nil
            progress = nil
            refresh()
        }
    }

    func cancelImport() {
        importing?.cancel()
    }

    func remove(_ model: SharedContainer.InstalledModel) {
        attempt { try container.remove(model) }
        if preferences.model == model.url.lastPathComponent { preferences.model = nil }
        refresh()
    }

    /// An engine for the app's own screen, as the keyboard makes one. It learns nothing.
    func makeEngine() async throws -> TypingEngine {
        let engine = try KeyboardEngine.make(preferences: preferences, lexicons: Bundle.main.bundleURL, user: nil)
        let memory = ProcessInfo.processInfo.physicalMemory
        if let model = try container.model(named: preferences.model, deviceMemory: memory) {
            try engine.setModel(try await Model(contentsOf: model.url))
        }
        return engine
    }

    private func refresh() {
        attempt { models = try container.installedModels() }
    }

    private func attempt(_ work: () throws -> Void) {
        do {
            try work()
        } catch {
            message = error.localizedDescription
        }
    }
}
