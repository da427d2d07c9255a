/// What a step is about.
package enum UpdateSubject: Sendable, Hashable, Comparable, CustomStringConvertible {
    case service(ServiceKey)
    /// The engine's name.
    case network(AppID, String)
    /// The engine's name.
    case volume(AppID, String)

    package var app: AppID {
        switch self {
        case .service(let key): key.app
        case .network(let app, _), .volume(let app, _): app
        }
    }

    package static func < (a: UpdateSubject, b: UpdateSubject) -> Bool { a.order < b.order }

    private var order: (AppID, Int, String) {
        switch self {
        case .network(let app, let name): (app, 0, name)
        case .volume(let app, let name): (app, 1, name)
        case .service(let key): (key.app, 2, key.service)
        }
    }

    package var description: String {
        switch self {
        case .service(let key): key.description
        case .network(_, let name): "network \(name)"
        case .volume(_, let name): "volume \(name)"
        }
    }
}
