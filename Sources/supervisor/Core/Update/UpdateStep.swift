/// One thing to do.
package enum UpdateStep: Sendable, Hashable {
    /// Get the image.
    case download(ServiceKey, image: String)
    /// Ask the registry whether the image has another content by now. The one that is there is used if it cannot be asked.
    case refresh(ServiceKey, image: String)
    /// Stop and remove containers that are one too many, or that have handed over.
    case remove(ServiceKey, containers: [String])
    /// Stop the containers of a service that is no longer wanted, and remove them once what is new in the application
    /// runs.
    case retire(ServiceKey, containers: [String])
    /// Stop the containers to make room for the download of what succeeds them, and with `removing` remove them.
    case makeWay(ServiceKey, containers: [String], removing: Bool)
    /// Have a new container take the place of others, which are removed once it has started. `successor` is one that was
    /// made already, and is still to be started.
    case replace(ServiceKey, successor: String?, containers: [String])
    /// Start the new container while the old one runs. `successor` is one that was made already.
    case handOver(ServiceKey, successor: String?)
    /// Stop the container and keep it.
    case halt(ServiceKey, container: String)
    /// Make and start a container where there is none.
    case install(ServiceKey)
    case start(ServiceKey, container: String)
    case createNetwork(AppID, name: String)
    /// Stop the containers on the networks, and make these networks as they are wanted.
    case changeNetworks(AppID, names: [String], containers: [String])
    case removeNetwork(AppID, name: String, id: String)
    case createVolume(AppID, name: String)

    package var subject: UpdateSubject {
        switch self {
        case .download(let key, _), .refresh(let key, _), .remove(let key, _), .retire(let key, _),
            .makeWay(let key, _, _), .replace(let key, _, _), .handOver(let key, _), .halt(let key, _),
            .install(let key), .start(let key, _):
            .service(key)
        case .createNetwork(let app, let name), .removeNetwork(let app, let name, _): .network(app, name)
        case .changeNetworks(let app, let names, _): .network(app, names.first ?? "")
        case .createVolume(let app, let name): .volume(app, name)
        }
    }

    package var app: AppID { subject.app }

    /// What is left as it is when the step has failed.
    package var subjects: [UpdateSubject] {
        if case .changeNetworks(let app, let names, _) = self { names.map { .network(app, $0) } } else { [subject] }
    }

    /// The service that it is about, if it is about one.
    package var key: ServiceKey? {
        if case .service(let key) = subject { key } else { nil }
    }
}
