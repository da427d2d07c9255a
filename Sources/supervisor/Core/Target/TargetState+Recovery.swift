import JSON

extension TargetState {
    /// What our containers and networks say that they were made from: the last resort where every file of the target is
    /// lost. Containers whose labels cannot be read are left out; of two of one service the first counts.
    static func recovered(from containers: [EngineContainer], networks: [EngineNetwork] = []) -> TargetState {
        var byApp: [AppID: [EngineContainer]] = [:]
        for container in containers {
            guard let id = container.labels[ContainerLabel.app].flatMap(AppID.init(digits:)) else { continue }
            byApp[id, default: []].append(container)
        }
        var target = TargetState()
        for (id, containers) in byApp {
            let own = networks.filter {
                CurrentState.Network($0)?.app == id && !ContainerLabel.isTrial($0.labels)
            }
            if let app = AppTarget(recovered: id, from: containers, own) { target.apps.append(app) }
        }
        target.apps.sort { $0.id < $1.id }
        return target
    }
}

extension AppTarget {
    /// nil where no container of the application can be read.
    fileprivate init?(recovered id: AppID, from containers: [EngineContainer], _ networks: [EngineNetwork]) {
        var definitions = JSONObject()
        for network in networks {
            guard let name = network.labels[ContainerLabel.network] else { continue }
            let text = network.labels[ContainerLabel.definition]
            definitions[name] = text.flatMap { try? JSONValue(parsing: $0) } ?? [:]
        }
        var services = JSONObject()
        var names: Set<String> = []
        var source: EngineContainer?
        var isMultiService = false
        for container in containers {
            let labels = container.labels
            guard let serviceID = labels[ContainerLabel.serviceID], let name = labels[ContainerLabel.service],
                services[serviceID] == nil, !names.contains(name),
                let text = labels[ContainerLabel.definition], let definition = try? JSONValue(parsing: text),
                // One that cannot be read must not take the others with it.
                AppTarget(id, container, [serviceID: definition], definitions, isMultiService: true) != nil
            else { continue }
            services[serviceID] = definition
            names.insert(name)
            source = source ?? container
            if labels[ContainerLabel.multiService] == "true" { isMultiService = true }
        }
        guard let source else { return nil }
        self.init(id, source, services, definitions, isMultiService: isMultiService || services.count > 1)
    }

    private init?(
        _ id: AppID,
        _ source: EngineContainer,
        _ services: JSONObject,
        _ networks: JSONObject,
        isMultiService: Bool
    ) {
        let app: JSONObject = [
            "name": .string(source.labels[ContainerLabel.appName] ?? ""),
            "commit": .string(source.labels[ContainerLabel.commit] ?? ""),
            "releaseId": .string(source.labels[ContainerLabel.release] ?? ""),
            "services": .object(services),
            "networks": .object(networks),
        ]
        self.init(recovered: id, app, isMultiService: isMultiService)
    }

    /// An application, or some services of one, as we wrote it ourselves: what its parts refer to need not be there.
    init?(recovered id: AppID, _ app: JSONObject, isMultiService: Bool) {
        var parser = TargetParser(recoveringMultiService: isMultiService)
        let document: JSONValue = ["apps": .object(JSONObject([(id.description, .object(app))]))]
        guard let app = try? parser.parse(document).apps.first else { return nil }
        self = app
    }
}
