import SupervisorPluginAPI

/// Makes the complete specification of a service's container out of its target and this device.
struct ContainerBuilder: Sendable {
    var identity: DeviceIdentity
    var apiKey: String
    var apiPort: Int
    var directories: AppDirectories

    /// The path of the update lock inside a container.
    static let lockPath = "/tmp/balena/updates.lock"

    /// - Parameter host: the address at which a container of this network mode reaches the host.
    func specification(app: AppTarget, service: ServiceTarget, host: String) -> ContainerSpecification {
        let digest = digest(app: app, service: service, host: host)
        var result = ContainerSpecification(
            name: "\(service.name)_\(app.id)_\(digest.prefix(12))",
            image: service.image
        )
        let composition = service.composition
        result.command = composition.command
        result.entrypoint = composition.entrypoint
        result.environment = environment(app: app, service: service, host: host)
        result.labels = service.labels
        result.labels.merge(labels(app: app, service: service, digest: digest)) { _, ours in ours }
        let key = ServiceKey(app: app.id, service: service.name)
        let locks = directories.locks(of: key)
        result.binds =
            [
                .init(source: directories.data(of: app.id), target: "/data"),
                .init(source: locks, target: "/tmp/balena"),
                .init(source: locks, target: "/tmp/resin"),
            ] + composition.binds
        result.networkMode = composition.networkMode
        result.ports = composition.ports
        result.devices = composition.devices
        result.privileged = composition.privileged
        result.capabilitiesAdded = composition.capabilitiesAdded
        result.capabilitiesDropped = composition.capabilitiesDropped
        result.restartPolicy = composition.restart
        result.tmpfs = composition.tmpfs
        result.workingDirectory = composition.workingDirectory
        result.user = composition.user
        result.hostname = composition.hostname
        result.groups = composition.groups
        result.extraHosts = composition.extraHosts
        result.dns = composition.dns
        result.securityOptions = composition.securityOptions
        result.sysctls = composition.sysctls
        result.stopSignal = composition.stopSignal
        result.stopTimeout = composition.stopGracePeriod
        result.initProcess = composition.initProcess
        result.readOnlyRoot = composition.readOnlyRoot
        result.terminal = composition.terminal
        result.openInput = composition.openInput
        result.pidMode = composition.pidMode
        result.ipcMode = composition.ipcMode
        result.memoryLimit = composition.memoryLimit
        result.sharedMemorySize = composition.sharedMemorySize
        return result
    }

    /// Covers the target's definition, the key and the address, but no version: an upgrade of the supervisor or of the
    /// host recreates nothing.
    func digest(app: AppTarget, service: ServiceTarget, host: String) -> String {
        var digest = ConfigurationDigest()
        digest.add("1")
        digest.add(app.name)
        digest.add(app.commit)
        digest.add(app.releaseID)
        // Whether it runs is no property of the container.
        var definition = service.definition
        definition["running"] = nil
        digest.add(.object(definition))
        digest.add(apiKey)
        digest.add("\(host):\(apiPort)")
        digest.add(identity.uuid)
        digest.add(identity.deviceType)
        return digest.text
    }

    /// The environment of the service's container: its own variables, ours above them.
    func environment(app: AppTarget, service: ServiceTarget, host: String) -> [String: String] {
        let ours = [
            "SUPERVISOR_ADDRESS": "http://\(host):\(apiPort)",
            "SUPERVISOR_HOST": host,
            "SUPERVISOR_PORT": String(apiPort),
            "SUPERVISOR_API_KEY": apiKey,
            "SUPERVISOR_VERSION": identity.supervisorVersion,
            "APP_ID": app.id.description,
            "APP_NAME": app.name,
            "APP_RELEASE": app.commit,
            "APP_LOCK_PATH": Self.lockPath,
            "DEVICE_UUID": identity.uuid,
            "DEVICE_TYPE": identity.deviceType,
            "HOST_OS_VERSION": identity.osVersion,
            "SERVICE_NAME": service.name,
        ]
        var result = service.environment
        for (name, value) in ours {
            result["RESIN_" + name] = value
            result["BALENA_" + name] = value
        }
        result["RESIN"] = "1"
        result["BALENA"] = "1"
        return result
    }

    private func labels(app: AppTarget, service: ServiceTarget, digest: String) -> [String: String] {
        [
            ContainerLabel.app: app.id.description,
            ContainerLabel.appName: app.name,
            ContainerLabel.service: service.name,
            ContainerLabel.serviceID: service.id,
            ContainerLabel.commit: app.commit,
            ContainerLabel.release: app.releaseID,
            ContainerLabel.configuration: digest,
            ContainerLabel.definition: JSONValue.object(service.definition).text,
        ]
    }
}

extension TargetState {
    /// What our containers say that they were made from: the last resort where every file of the target is lost.
    /// Containers whose labels cannot be read are left out.
    static func recovered(from containers: [EngineContainer]) -> TargetState {
        var apps: [String: JSONValue] = [:]
        for container in containers {
            let labels = container.labels
            guard let id = labels[ContainerLabel.app], let serviceID = labels[ContainerLabel.serviceID],
                let text = labels[ContainerLabel.definition], let definition = try? JSONValue(parsing: text),
                apps[id] == nil
            else { continue }
            apps[id] = [
                "name": .string(labels[ContainerLabel.appName] ?? ""),
                "commit": .string(labels[ContainerLabel.commit] ?? ""),
                "releaseId": .string(labels[ContainerLabel.release] ?? ""),
                "services": .object(JSONObject([(serviceID, definition)])),
            ]
        }
        var target = TargetState()
        for (id, app) in apps {
            var parser = TargetParser()
            let document: JSONValue = ["apps": .object(JSONObject([(id, app)]))]
            guard let parsed = try? parser.parse(document) else { continue }
            target.apps += parsed.apps
        }
        target.apps.sort { $0.id < $1.id }
        return target
    }
}
