/// A volume. What it was made from does not count: it holds data, and is never made anew.
package struct ResolvedVolume: Sendable, Hashable {
    package var app: AppID
    /// The engine's.
    package var name: String

    package init(app: AppID, name: String) {
        self.app = app
        self.name = name
    }
}
