// swift-tools-version: 6.0

import PackageDescription

let package = Package(
    name: "nibble-examples",
    platforms: [.iOS(.v16), .macOS(.v13)],
    dependencies: [
        // In another repository: .package(url: "...", exact: "0.1.0").
        .package(name: "nibble", path: "../../..")
    ],
    targets: [
        .executableTarget(name: "QuickStart", dependencies: [.product(name: "Nibble", package: "nibble")]),
        .executableTarget(name: "Suggestions", dependencies: [.product(name: "Nibble", package: "nibble")]),
        .executableTarget(name: "Benchmark", dependencies: [.product(name: "Nibble", package: "nibble")]),
    ],
    swiftLanguageModes: [.v6]
)
