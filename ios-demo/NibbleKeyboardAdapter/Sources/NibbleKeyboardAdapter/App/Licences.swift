import Foundation

/// The licences of what the app consists of, as `scripts/collect-licences` writes them.
public enum Licences {
    /// One text.
    public struct Section: Hashable, Sendable {
        /// What is under this licence; the first section says what there is.
        public let title: String
        /// The licence.
        public let text: String
    }

    /// Takes the file apart, because a screen is slow with all of it in one piece.
    public static func sections(of file: String) -> [Section] {
        let rule = String(repeating: "-", count: 80)
        let parts = file.components(separatedBy: "\n\(rule)\n")
        return parts.enumerated().map { index, part in
            let lines = part.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: true)
            let text = lines.last.map(String.init) ?? ""
            return Section(
                title: index == 0 ? "Contents" : lines.first.map(String.init) ?? "",
                text: (index == 0 ? part : text).trimmingCharacters(in: .whitespacesAndNewlines))
        }
    }
}
