import Foundation

/// Runs the `nibble` command, which is built beside the library: what Rust says is what Swift must say.
enum Command {
    /// What the command prints to its standard output, given `input` at its standard input.
    static func nibble(_ arguments: [String], input: String = "") throws -> String {
        let folder = try TemporaryFolder()
        let file = folder.url.appendingPathComponent("input")
        try input.write(to: file, atomically: true, encoding: .utf8)
        let process = Process()
        process.executableURL = Places.builtByCargo.appendingPathComponent("nibble")
        process.arguments = arguments
        process.standardInput = try FileHandle(forReadingFrom: file)
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        withExtendedLifetime(folder) {}
        guard process.terminationStatus == 0 else {
            throw CommandError(arguments: arguments, status: process.terminationStatus)
        }
        return String(decoding: data, as: UTF8.self)
    }

    struct CommandError: Error {
        let arguments: [String]
        let status: Int32
    }
}
