import NibbleKeyboardAdapter
import SwiftUI

/// What the app consists of, and under which licences.
struct LicencesView: View {
    var body: some View {
        List {
            Section {
                Text("Nibble: MIT or Apache 2.0")
                Text("SmolLM2-135M-Instruct: Apache 2.0")
            }
            Section("Word lists") { Text(text("SOURCES")).font(.footnote) }
            Section("Crates of Rust") {
                ForEach(Licences.sections(of: text("LICENCES")), id: \.self) { section in
                    NavigationLink(section.title) {
                        ScrollView { Text(section.text).font(.footnote).textSelection(.enabled).padding() }
                            .navigationTitle(section.title)
                    }
                }
            }
        }
        .navigationTitle("Licences")
    }

    /// A text that ios-demo/prepare put into the app.
    private func text(_ name: String) -> String {
        let file = Bundle.main.url(forResource: name, withExtension: "txt")
        return file.flatMap { try? String(contentsOf: $0, encoding: .utf8) } ?? ""
    }
}
