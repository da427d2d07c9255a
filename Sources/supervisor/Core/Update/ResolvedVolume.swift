/// A volume. What it was made from does not count: it holds data, and is never made anew.
public struct ResolvedVolume: Sendable, Hashable {
    public var app: AppID
    /// The engine's.
    public var name: String

    public init(app: AppID, name: String) {
        self.app = app
        self.name = name
    }
}
