import NibbleKeyboardAdapter
import SwiftUI
import UniformTypeIdentifiers

/// The models that are installed, and another one from the Files app.
struct ModelsView: View {
    @EnvironmentObject private var app: AppModel
    @State private var picks = false

    var body: some View {
        NavigationStack {
            List {
                Section("Installed") {
                    ForEach(app.models, id: \.url) { model in
                        let name = model.url.lastPathComponent
                        Button {
                            app.preferences.model = name
                        } label: {
                            HStack {
                                ModelLabel(model: model)
                                Spacer()
                                if app.preferences.model == name { Image(systemName: "checkmark") }
                            }
                        }
                        .accessibilityAddTraits(app.preferences.model == name ? .isSelected : [])
                        .swipeActions { Button("Remove", role: .destructive) { app.remove(model) } }
                    }
                    if app.models.isEmpty {
                        Text("None. The keyboard suggests from its word lists.").foregroundStyle(.secondary)
                    }
                }
                if let progress = app.progress {
                    Section("Importing") {
                        switch progress {
                        case .copying(let done, let total):
                            ProgressView("Copying", value: Double(done), total: Double(max(total, 1)))
                        case .verifying(let done, let total):
                            ProgressView("Checking", value: Double(done), total: Double(max(total, 1)))
                        case .preparing(let done, let total):
                            ProgressView("Preparing", value: Double(done), total: Double(max(total, 1)))
                        }
                        Button("Cancel", role: .cancel) { app.cancelImport() }
                    }
                } else {
                    Button("Import a model file") { picks = true }
                }
            }
            .navigationTitle("Models")
            .fileImporter(isPresented: $picks, allowedContentTypes: [.data]) { result in
                switch result {
                case .success(let file): app.add(file)
                case .failure(let error): app.message = error.localizedDescription
                }
            }
            .alert(
                "That did not work", isPresented: Binding(get: { app.message != nil }, set: { _ in app.message = nil })
            ) {
            } message: {
                Text(app.message ?? "")
            }
        }
    }
}

/// What a model is called, how large it is, and under which licence it is.
private struct ModelLabel: View {
    let model: SharedContainer.InstalledModel
    @State private var license = ""

    var body: some View {
        VStack(alignment: .leading) {
            Text(model.url.lastPathComponent)
            Group {
                Text(Int64(clamping: model.bytes), format: .byteCount(style: .file))
                if !license.isEmpty { Text("Licence: \(license)") }
            }
            .font(.footnote).foregroundStyle(.secondary)
        }
        .task { license = (try? await model.license() ?? "the file names none") ?? "" }
    }
}
