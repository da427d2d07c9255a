internal import JSON
internal import SupervisorCore

extension ContainerSpecification {
    /// The body of `POST /containers/create`. What the specification leaves open is left out, so that the image's own or
    /// the engine's default holds. The same specification gives the same bytes.
    var createBody: JSONValue {
        var body: JSONObject = ["Image": .string(image)]
        body["Cmd"] = command.map(JSONValue.init(strings:))
        body["Entrypoint"] = entrypoint.map(JSONValue.init(strings:))
        body["Env"] = JSONValue(strings: environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })
        body["Labels"] = JSONValue(strings: labels)
        body["WorkingDir"] = workingDirectory.map(JSONValue.string)
        body["User"] = user.map(JSONValue.string)
        body["Hostname"] = hostname.map(JSONValue.string)
        body["StopSignal"] = stopSignal.map(JSONValue.string)
        body["StopTimeout"] = stopTimeout.map { .integer(Int64($0)) }
        if terminal { body["Tty"] = true }
        if openInput { body["OpenStdin"] = true }
        if !ports.isEmpty {
            body["ExposedPorts"] = .object(JSONObject(ports.map { ($0.key, [:]) }))
        }
        body["HostConfig"] = .object(hostConfiguration)
        // API versions before 1.44 accept only one; the engine client connects the others.
        if let first = networks.first {
            body["NetworkingConfig"] = ["EndpointsConfig": .object([first.network: first.endpoint])]
        }
        return .object(body)
    }

    private var hostConfiguration: JSONObject {
        var host: JSONObject = [
            "NetworkMode": .string(networks.first?.network ?? networkMode), "RestartPolicy": restartPolicy.value,
        ]
        add(storageTo: &host)
        if !ports.isEmpty { host["PortBindings"] = .object(portBindings) }
        if !devices.isEmpty { host["Devices"] = .array(devices.map(\.value)) }
        if privileged { host["Privileged"] = true }
        host["CapAdd"] = JSONValue(unlessEmpty: capabilitiesAdded)
        host["CapDrop"] = JSONValue(unlessEmpty: capabilitiesDropped)
        host["GroupAdd"] = JSONValue(unlessEmpty: groups)
        host["ExtraHosts"] = JSONValue(unlessEmpty: extraHosts)
        host["Dns"] = JSONValue(unlessEmpty: dns)
        host["SecurityOpt"] = JSONValue(unlessEmpty: securityOptions)
        if !sysctls.isEmpty { host["Sysctls"] = JSONValue(strings: sysctls) }
        host["Init"] = initProcess.map(JSONValue.bool)
        host["PidMode"] = pidMode.map(JSONValue.string)
        host["IpcMode"] = ipcMode.map(JSONValue.string)
        host["Memory"] = memoryLimit.map(JSONValue.integer)
        host["ShmSize"] = sharedMemorySize.map(JSONValue.integer)
        return host
    }

    /// Volumes go to Binds, as docker-compose sends them. A path of the host goes to Mounts: there a source that is
    /// missing fails the create (400) and every start, while Binds would make it as a directory of root's. docker and
    /// podman both take Mounts of type bind, also for paths with a colon.
    private func add(storageTo host: inout JSONObject) {
        let volumes = binds.filter { !$0.isPath }
        let paths = binds.filter(\.isPath)
        host["Binds"] = JSONValue(
            unlessEmpty: volumes.map { "\($0.source):\($0.target)\($0.readOnly ? ":ro" : "")" }
        )
        if !paths.isEmpty { host["Mounts"] = .array(paths.map(\.mount)) }
        if !tmpfs.isEmpty { host["Tmpfs"] = JSONValue(strings: tmpfs) }
        if readOnlyRoot { host["ReadonlyRootfs"] = true }
    }

    private var portBindings: JSONObject {
        var bindings: JSONObject = [:]
        for port in ports {
            let binding: JSONValue = [
                "HostIp": .string(port.hostAddress),
                "HostPort": .string(port.host.map { String($0) } ?? ""),
            ]
            bindings[port.key] = .array((bindings[port.key]?.arrayValue ?? []) + [binding])
        }
        return bindings
    }
}

extension ContainerSpecification.Bind {
    fileprivate var isPath: Bool { source.hasPrefix("/") }

    fileprivate var mount: JSONValue {
        var mount: JSONObject = ["Type": "bind", "Source": .string(source), "Target": .string(target)]
        if readOnly { mount["ReadOnly"] = true }
        return .object(mount)
    }
}

extension ContainerSpecification.Port {
    /// Such as "80/tcp".
    fileprivate var key: String { "\(container)/\(transport)" }
}

extension ContainerSpecification.Device {
    fileprivate var value: JSONValue {
        [
            "PathOnHost": .string(host),
            "PathInContainer": .string(container),
            "CgroupPermissions": .string(permissions),
        ]
    }
}

extension ContainerSpecification.RestartPolicy {
    fileprivate var value: JSONValue {
        switch self {
        case .no: ["Name": "no"]
        case .always: ["Name": "always"]
        case .unlessStopped: ["Name": "unless-stopped"]
        // 0 means no limit.
        case .onFailure(let maximum): ["Name": "on-failure", "MaximumRetryCount": .integer(Int64(maximum ?? 0))]
        }
    }
}

extension JSONValue {
    fileprivate init(strings: [String]) {
        self = .array(strings.map(JSONValue.string))
    }

    fileprivate init?(unlessEmpty strings: [String]) {
        if strings.isEmpty { return nil }
        self.init(strings: strings)
    }

    /// In the order of the names.
    init(strings: [String: String]) {
        self = .object(JSONObject(strings.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }))
    }
}
