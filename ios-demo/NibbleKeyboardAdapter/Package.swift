// swift-tools-version: 6.0

import PackageDescription

// What the iOS keyboard does, without UIKit: it is tested on Linux.
let package = Package(
    name: "NibbleKeyboardAdapter",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [
        .library(name: "NibbleKeyboardAdapter", targets: ["NibbleKeyboardAdapter"])
    ],
    dependencies: [
        .package(name: "nibble", path: "../..")
    ],
    targets: [
        .target(
            name: "NibbleKeyboardAdapter", dependencies: [.product(name: "Nibble", package: "nibble")]),
        .testTarget(name: "NibbleKeyboardAdapterTests", dependencies: ["NibbleKeyboardAdapter"]),
    ],
    swiftLanguageModes: [.v6]
)
