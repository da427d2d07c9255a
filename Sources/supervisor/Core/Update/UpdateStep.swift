/// One thing to do.
package enum UpdateStep: Sendable, Hashable {
    /// Get the image.
    case download(ServiceKey, image: String)
    /// Stop and remove the containers: an old version whose successor comes later, a service that is no longer wanted, or
    /// one container too many.
    case remove(ServiceKey, containers: [String])
    /// Stop and remove the containers, make and start the new one.
    case replace(ServiceKey, containers: [String])
    /// Make and start the new container while the old one runs.
    case handOver(ServiceKey)
    /// Stop the container and keep it.
    case halt(ServiceKey, container: String)
    /// Make and start a container where there is none.
    case install(ServiceKey)
    case start(ServiceKey, container: String)
    case createNetwork(AppID, name: String)
    case removeNetwork(AppID, name: String, id: String)
    case createVolume(AppID, name: String)

    package var subject: UpdateSubject {
        switch self {
        case .download(let key, _), .remove(let key, _), .replace(let key, _), .handOver(let key), .halt(let key, _),
            .install(let key), .start(let key, _):
            .service(key)
        case .createNetwork(let app, let name), .removeNetwork(let app, let name, _): .network(app, name)
        case .createVolume(let app, let name): .volume(app, name)
        }
    }

    package var app: AppID { subject.app }

    /// The service that it is about, if it is about one.
    package var key: ServiceKey? {
        if case .service(let key) = subject { key } else { nil }
    }
}
