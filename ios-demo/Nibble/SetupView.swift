import SwiftUI

/// How the keyboard is switched on.
struct SetupView: View {
    var body: some View {
        NavigationStack {
            List {
                Section("Three steps") {
                    Label("Open Settings, General, Keyboard, Keyboards.", systemImage: "1.circle")
                    Label("Add New Keyboard, and choose Nibble.", systemImage: "2.circle")
                    Label("In any app, hold the globe key and choose Nibble.", systemImage: "3.circle")
                    Button("Open Settings") {
                        guard let settings = URL(string: UIApplication.openSettingsURLString) else { return }
                        UIApplication.shared.open(settings)
                    }
                }
                Section("Privacy") {
                    Text("Nibble does not ask for Full Access. The keyboard has no network: what you type stays in it.")
                    Text("Words that you type are learned in the keyboard's own folder. Passwords are not.")
                    Text("How many keys you press, and how many characters they make, is counted there. Nothing else is.")
                    Text("Without Full Access a keyboard cannot make sounds or vibrate.")
                }
            }
            .navigationTitle("Nibble")
        }
    }
}
