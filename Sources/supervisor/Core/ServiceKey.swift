/// One service of one application: what a container is made for.
public struct ServiceKey: Sendable, Hashable, Comparable, CustomStringConvertible {
    public var app: AppID
    public var service: String

    public init(app: AppID, service: String) {
        self.app = app
        self.service = service
    }

    public static func < (a: ServiceKey, b: ServiceKey) -> Bool {
        (a.app, a.service) < (b.app, b.service)
    }

    public var description: String { "\(app)/\(service)" }
}
