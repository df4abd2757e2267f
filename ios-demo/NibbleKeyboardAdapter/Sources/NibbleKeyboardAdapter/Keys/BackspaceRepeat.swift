/// When a held backspace deletes again.
public enum BackspaceRepeat {
    /// The wait before repetition `count`, from 0 on: long before the first, and shorter after some.
    public static func delay(before count: Int) -> Duration {
        switch count {
        case ...0: .milliseconds(450)
        case ..<15: .milliseconds(90)
        default: .milliseconds(45)
        }
    }
}
