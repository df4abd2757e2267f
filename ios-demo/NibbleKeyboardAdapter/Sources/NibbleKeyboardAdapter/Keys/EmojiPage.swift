/// The emoji that the emoji page offers; the strip brings others to mind by their words.
public enum EmojiPage {
    /// Emoji that belong together.
    public struct Group: Hashable, Sendable {
        /// What they are.
        public let name: String
        /// In the order of the page.
        public let emoji: [String]
    }

    /// The groups, in the order of the page.
    public static let groups = [
        group("Faces", "😀😃😄😁😅😂🤣😊😇🙂😉😍🥰😘😋😜🤪🤔🤨😐😏🙄😬😌😴🤒🤯🥳😎🤓😕😟😮😳🥺😢😭😱😤😡🤬"),
        group("People", "👋👌🤌🤞👍👎👏🙌🤝🙏💪👀🧠👶👧👦👩👨👵👴🤷🤦🏃💃"),
        group("Hearts", "❤️🧡💛💚💙💜🖤🤍💔💕💯✨🔥🎉🎂🎁"),
        group("Animals and nature", "🐶🐱🐭🐰🦊🐻🐼🐨🐸🐵🐔🐧🦆🐴🐝🦋🐢🐙🐳🌸🌹🌻🌳🍀🌙⭐️☀️⛅️🌧🌈❄️"),
        group("Food", "🍎🍌🍇🍓🍒🍑🥑🥕🌽🍞🧀🍕🍔🍟🌮🍝🍣🍦🍩🍪🍫☕️🍵🍺🍷"),
        group("Things", "⚽️🏀🎾🚲🚗🚌🚆✈️🚀🏠🏥🏫⏰📱💻📷💡📚✏️📅📌🔑🛒💰🎵🎬"),
    ]

    private static func group(_ name: String, _ emoji: String) -> Group {
        Group(name: name, emoji: emoji.map(String.init))
    }
}
