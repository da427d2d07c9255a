import JSON

/// Makes the complete specification of a service's container out of its target and this device.
struct ContainerBuilder: Sendable {
    var identity: DeviceIdentity
    var apiKey: String
    var apiPort: Int
    var reportedVersion = SupervisorSettings.apiVersion
    var deviceName = ""
    var directories: AppDirectories

    /// The path of the update lock inside a container.
    static let lockPath = "/tmp/balena/updates.lock"
    /// Where the successor of a hand-over says that the former container may go, inside a container.
    static let handOverPath = "/tmp/balena/handover-complete"

    /// - Parameter host: the address at which a container of this network mode reaches the host.
    func specification(app: AppTarget, service: ServiceTarget, host: String) -> ContainerSpecification {
        let digest = digest(app: app, service: service, host: host)
        let key = ServiceKey(app: app.id, service: service.name)
        var result = ContainerSpecification(
            name: ContainerName.candidates(key, digest: digest)[0],
            image: service.image
        )
        let composition = service.composition
        result.command = composition.command
        result.entrypoint = composition.entrypoint
        result.environment = environment(app: app, service: service, host: host)
        result.labels = service.labels
        result.labels.merge(labels(app: app, service: service, host: host, digest: digest)) { _, ours in ours }
        let locks = directories.locks(of: key)
        result.binds =
            [
                .init(source: directories.data(of: app.id), target: "/data"),
                .init(source: locks, target: "/tmp/balena"),
                .init(source: locks, target: "/tmp/resin"),
            ]
            + composition.binds.map { bind in
                var bind = bind
                if !bind.source.isAbsolutePath { bind.source = app.id.engineName(bind.source) }
                return bind
            }
        result.networks = composition.networks.map { membership in
            .init(
                network: app.id.engineName(membership.network),
                aliases: [service.name] + membership.aliases,
                ipv4Address: membership.ipv4Address
            )
        }
        result.networkMode = result.networks.first?.network ?? composition.networkMode
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
    /// host recreates nothing. Of an application with several services the release is no part of it: a new one touches
    /// only what it changes.
    func digest(app: AppTarget, service: ServiceTarget, host: String) -> String {
        var digest = ConfigurationDigest()
        digest.add("1")
        digest.add(app.name)
        if !app.isMultiService {
            digest.add(app.commit)
            digest.add(app.releaseID)
        }
        Self.addDefinition(of: service, app, to: &digest)
        digest.add(apiKey)
        digest.add("\(host):\(apiPort)")
        digest.add(identity.uuid)
        digest.add(identity.deviceType)
        return digest.text
    }

    /// A fingerprint of what a release makes of a service: of its definition alone, and of the release where a new one
    /// makes a new container.
    static func release(_ app: AppTarget, _ service: ServiceTarget) -> String {
        var digest = ConfigurationDigest()
        if !app.isMultiService {
            digest.add(app.commit)
            digest.add(app.releaseID)
        }
        addDefinition(of: service, app, to: &digest)
        return digest.text
    }

    private static func addDefinition(of service: ServiceTarget, _ app: AppTarget, to digest: inout ConfigurationDigest)
    {
        // Whether it runs is no property of the container, nor is what it waits for.
        var definition = service.definition
        definition["running"] = nil
        definition["depends_on"] = nil
        digest.add(.object(definition))
        for membership in service.composition.networks {
            guard let network = app.networks.first(where: { $0.name == membership.network }) else { continue }
            digest.add(network.digest)
        }
    }

    /// - Parameter bridge: the bridge's name on the host.
    func specification(app: AppID, network: NetworkTarget, bridge: String) -> NetworkSpecification {
        var result = NetworkSpecification(name: app.engineName(network.name), bridge: bridge)
        result.isInternal = network.isInternal
        result.enablesIPv6 = network.enablesIPv6
        result.subnets = network.subnets
        result.options = network.options
        result.labels = network.labels
        result.labels[ContainerLabel.app] = app.description
        result.labels[ContainerLabel.network] = network.name
        result.labels[ContainerLabel.configuration] = network.digest
        result.labels[ContainerLabel.definition] = JSONValue.object(network.definition).text
        return result
    }

    func specification(app: AppID, volume: VolumeTarget) -> VolumeSpecification {
        var result = VolumeSpecification(name: app.engineName(volume.name))
        result.driver = volume.driver
        result.options = volume.options
        result.labels = volume.labels
        result.labels[ContainerLabel.app] = app.description
        result.labels[ContainerLabel.volume] = volume.name
        result.labels[ContainerLabel.definition] = JSONValue.object(volume.definition).text
        return result
    }

    /// The environment of the service's container: its own variables, ours above them.
    func environment(app: AppTarget, service: ServiceTarget, host: String) -> [String: String] {
        var result = service.environment.merging(variables(app: app, service: service, host: host)) { _, ours in ours }
        if result["USER"] == nil { result["USER"] = "root" }
        return result
    }

    private func variables(app: AppTarget, service: ServiceTarget, host: String) -> [String: String] {
        let ours = [
            "SUPERVISOR_ADDRESS": "http://\(host):\(apiPort)",
            "SUPERVISOR_HOST": host,
            "SUPERVISOR_PORT": String(apiPort),
            "SUPERVISOR_API_KEY": apiKey,
            "SUPERVISOR_VERSION": reportedVersion,
            "APP_ID": app.id.description,
            "APP_NAME": app.name,
            "APP_RELEASE": app.commit,
            "APP_LOCK_PATH": Self.lockPath,
            "DEVICE_UUID": identity.uuid,
            "DEVICE_TYPE": identity.deviceType,
            "DEVICE_ARCH": identity.architecture,
            "DEVICE_NAME_AT_INIT": deviceName,
            "HOST_OS_VERSION": identity.osVersion,
            "SERVICE_NAME": service.name,
        ]
        var result = [
            "RESIN_SERVICE_KILL_ME_PATH": Self.handOverPath,
            "BALENA_SERVICE_HANDOVER_COMPLETE_PATH": Self.handOverPath,
        ]
        for (name, value) in ours {
            result["RESIN_" + name] = value
            result["BALENA_" + name] = value
        }
        result["RESIN"] = "1"
        result["BALENA"] = "1"
        return result
    }

    private func labels(app: AppTarget, service: ServiceTarget, host: String, digest: String) -> [String: String] {
        var labels = [
            ContainerLabel.app: app.id.description,
            ContainerLabel.appName: app.name,
            ContainerLabel.service: service.name,
            ContainerLabel.serviceID: service.id,
            ContainerLabel.commit: app.commit,
            ContainerLabel.release: app.releaseID,
            ContainerLabel.configuration: digest,
            // Each label of ours has a value: the image's would hold otherwise.
            ContainerLabel.multiService: String(app.isMultiService),
            ContainerLabel.trial: "",
            ContainerLabel.variables: "",
        ]
        let ours = variables(app: app, service: service, host: host)
        labels.merge(DefinitionLabels.labels(of: service.definition) { ours[$0] != nil }) { _, new in new }
        return labels
    }
}

extension NetworkTarget {
    /// Where it differs, the network is recreated.
    var digest: String {
        var digest = ConfigurationDigest()
        digest.add("1")
        digest.add(.object(definition))
        return digest.text
    }
}

extension AppID {
    /// The engine's name of a network or volume of the application.
    func engineName(_ name: String) -> String { "\(self)_\(name)" }
}
