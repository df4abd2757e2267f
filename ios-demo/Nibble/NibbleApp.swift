import SwiftUI

@main
struct NibbleApp: App {
    @StateObject private var app = AppModel()

    var body: some Scene {
        WindowGroup {
            TabView {
                SetupView().tabItem { Label("Set up", systemImage: "keyboard") }
                PlaygroundView(screen: PlaygroundScreen(app)).tabItem { Label("Try it", systemImage: "text.cursor") }
                ModelsView().tabItem { Label("Models", systemImage: "cpu") }
                SettingsView().tabItem { Label("Settings", systemImage: "gear") }
            }
            .environmentObject(app)
            .task { await app.begin() }
        }
    }
}
