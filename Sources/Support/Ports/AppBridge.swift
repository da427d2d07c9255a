/// The bridges of applications' networks, `supervisor0`, `supervisor1` and so on: the core names them, the API listens on
/// them, and their addresses are not the device's own.
public enum AppBridge {
    public static let prefix = "supervisor"

    /// An interface's name has 15 characters at most.
    public static func name(_ number: Int) -> String { "\(prefix)\(number)" }
}
