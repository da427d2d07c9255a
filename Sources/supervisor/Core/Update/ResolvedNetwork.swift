/// A network with everything that it is created from.
package struct ResolvedNetwork: Sendable, Hashable {
    package var app: AppID
    /// The engine's.
    package var name: String
    package var digest: String

    package init(app: AppID, name: String, digest: String) {
        self.app = app
        self.name = name
        self.digest = digest
    }
}
