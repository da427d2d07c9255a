public import JSON

/// Proxy and hostname of the host. At start both are left as they are.
extension Supervisor {
    private var configurator: HostConfigurator {
        HostConfigurator(host: parts.host, uuid: identity.uuid, logger: logger)
    }

    public func hostConfig(requestID: String?) async throws(SupervisorError) -> JSONValue {
        try await configurator.read(requestID).json
    }

    public func setHostConfig(_ patch: JSONObject, requestID: String?) async throws(SupervisorError) {
        try admitChange()
        let patch = try HostConfigurationPatch(patch)
        try configurator.admit(patch)
        try await owned { supervisor throws(SupervisorError) in
            // Read, merged and written as one.
            try await supervisor.hostConfigurationLine.enter()
            defer { supervisor.hostConfigurationLine.leave() }
            try supervisor.refuseWhileFrozen()
            try await supervisor.configurator.apply(patch, requestID)
        }
    }
}
