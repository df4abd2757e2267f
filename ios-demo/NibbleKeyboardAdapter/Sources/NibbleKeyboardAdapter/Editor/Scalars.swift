// Comparisons by Unicode scalar values, which the controller counts in. Swift's own take a letter with a combining mark
// for the composed one, and count a carriage return and a line feed as one.
extension String {
    func hasSameScalars(as other: String) -> Bool {
        unicodeScalars.elementsEqual(other.unicodeScalars)
    }

    func hasScalarPrefix(_ prefix: String) -> Bool {
        unicodeScalars.starts(with: prefix.unicodeScalars)
    }

    func hasScalarSuffix(_ suffix: String) -> Bool {
        let count = suffix.unicodeScalars.count
        return unicodeScalars.count >= count && unicodeScalars.suffix(count).elementsEqual(suffix.unicodeScalars)
    }
}
