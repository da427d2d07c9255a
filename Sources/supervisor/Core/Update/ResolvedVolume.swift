/// A volume. What it was created from does not count: it holds data, and is never recreated.
package struct ResolvedVolume: Sendable, Hashable {
    package var app: AppID
    /// The engine's.
    package var name: String

    package init(app: AppID, name: String) {
        self.app = app
        self.name = name
    }
}
