import Nibble
import NibbleKeyboardAdapter
import SwiftUI

/// What the user can set. The keyboard reads it whenever it appears.
struct SettingsView: View {
    @EnvironmentObject private var app: AppModel
    private let layouts = (try? KeyboardLayout.builtinNames) ?? []

    var body: some View {
        NavigationStack {
            Form {
                Section("Keys") {
                    Picker("Layout", selection: $app.preferences.layout) {
                        ForEach(layouts, id: \.self) { Text($0.uppercased()).tag($0) }
                    }
                }
                Section("Languages") {
                    ForEach(languages, id: \.self) { language in
                        Toggle(name(of: language), isOn: isTyped(language))
                    }
                }
                Section("Suggestions") {
                    Picker("Corrections", selection: $app.preferences.correction) {
                        Text("Off").tag(CorrectionStrength.off)
                        Text("Cautious").tag(CorrectionStrength.cautious)
                        Text("Normal").tag(CorrectionStrength.normal)
                    }
                    Stepper("Suggestions: \(app.preferences.slots)", value: $app.preferences.slots, in: 1...5)
                    Toggle("Suggest offensive words", isOn: $app.preferences.suggestsOffensiveWords)
                }
                Section("About") {
                    Text("Learned words and the keyboard's own statistics are in the keyboard, behind the dots beside its suggestions.")
                    NavigationLink("Licences") { LicencesView() }
                }
            }
            .navigationTitle("Settings")
        }
    }

    /// The languages whose words came with the app.
    private var languages: [String] {
        let lexicons = Bundle.main.urls(forResourcesWithExtension: "lex", subdirectory: nil) ?? []
        return lexicons.map { $0.deletingPathExtension().lastPathComponent }.sorted()
    }

    private func name(of language: String) -> String {
        Locale.current.localizedString(forIdentifier: language) ?? language
    }

    /// One language is always typed.
    private func isTyped(_ language: String) -> Binding<Bool> {
        Binding {
            app.preferences.languages.contains(language)
        } set: { isTyped in
            var languages = app.preferences.languages.filter { $0 != language }
            if isTyped { languages.append(language) }
            if !languages.isEmpty { app.preferences.languages = languages }
        }
    }
}
