import HostOperations
import Logging

/// Reads and changes proxy and hostname of the host.
///
/// One change at a time: the caller sees to that, since what is there is read, merged and written.
struct HostConfigurator: Sendable {
    var host: any HostOperations
    /// Of the device; it is in the standard hostname.
    var uuid: String
    var logger: Logger

    /// A board without a plugin for the proxy has no proxy; one without a plugin for the hostname has no hostname. Throws
    /// `notSupported` where there is neither, and `unavailable` where something cannot be read.
    func read(_ requestID: String?) async throws(SupervisorError) -> HostConfiguration {
        try refuseWithoutProvider()
        do throws(HostOperationError) {
            return HostConfiguration(
                proxy: try await currentProxy(requestID),
                hostname: try await currentHostname(requestID)
            )
        } catch {
            throw Self.hostConfigError(error)
        }
    }

    /// Throws `notSupported` where no plugin does what a patch asks for.
    func admit(_ patch: HostConfigurationPatch) throws(SupervisorError) {
        try refuseWithoutProvider()
        if case .merged = patch.proxy { try refuseWithout(ProxySet.name) }
        if patch.hostname != .unchanged { try refuseWithout(HostnameSet.name) }
    }

    private func refuseWithoutProvider() throws(SupervisorError) {
        if host.provides(HostnameGet.name) { return }
        try refuseWithout(ProxyGet.name)
    }

    private func refuseWithout(_ operation: String) throws(SupervisorError) {
        guard !host.provides(operation) else { return }
        throw SupervisorError(.notSupported, "This device has no plugin for \(operation)")
    }

    // MARK: Reading

    private func currentProxy(_ requestID: String?) async throws(HostOperationError) -> ProxySettings? {
        guard host.provides(ProxyGet.name) else { return nil }
        do throws(HostOperationError) {
            return try await host.call(ProxyGet.self, EmptyPayload(), requestID: requestID).proxy
        } catch {
            // A machine that cannot have a proxy has none.
            if error.code == .notSupported { return nil }
            throw error
        }
    }

    private func currentHostname(_ requestID: String?) async throws(HostOperationError) -> String? {
        guard host.provides(HostnameGet.name) else { return nil }
        return try await host.call(HostnameGet.self, EmptyPayload(), requestID: requestID).hostname
    }

    // MARK: Writing

    /// What is, and what is to be.
    private struct ProxyChange: Sendable {
        /// nil in the outer optional where what is there cannot be read.
        var former: ProxySettings??
        var next: ProxySettings?

        var isNeeded: Bool { former != .some(next) }
    }

    /// The proxy comes first, because its change is the one that fails. Where the hostname cannot be set afterwards, the
    /// proxy is put back as it was, so that a patch that fails has changed nothing.
    func apply(_ patch: HostConfigurationPatch, _ requestID: String?) async throws(SupervisorError) {
        // All of it is known before anything changes.
        let proxy = try await proxyChange(patch, requestID)
        let hostname = try await hostnameChange(patch, requestID)
        if let proxy, proxy.isNeeded {
            do throws(HostOperationError) {
                try await put(proxy.next, requestID)
            } catch {
                throw Self.hostConfigError(error)
            }
            logger.notice("The proxy is \(proxy.next == nil ? "cleared" : "set")", metadata: Self.metadata(requestID))
        }
        guard let hostname else { return }
        do throws(HostOperationError) {
            let parameters = HostnamePayload(hostname: hostname)
            _ = try await host.call(HostnameSet.self, parameters, requestID: requestID)
        } catch {
            var answer = Self.hostConfigError(error)
            if let proxy, proxy.isNeeded { answer.message += await putBack(proxy, requestID) }
            throw answer
        }
        logger.notice("The hostname is \(hostname)", metadata: Self.metadata(requestID))
    }

    /// nil where the proxy is not spoken of.
    private func proxyChange(
        _ patch: HostConfigurationPatch,
        _ requestID: String?
    ) async throws(SupervisorError) -> ProxyChange? {
        if patch.proxy == .unchanged { return nil }
        let former: ProxySettings?
        do throws(HostOperationError) {
            former = try await currentProxy(requestID)
        } catch {
            // Settings that cannot be read can still be cleared: how else would they be put right?
            guard patch.proxy == .none, error.code == .failed || error.code == .invalidArgument else {
                throw Self.hostConfigError(error)
            }
            return ProxyChange(former: nil, next: nil)
        }
        return ProxyChange(former: .some(former), next: try patch.proxy(after: former))
    }

    /// nil where there is nothing to set.
    private func hostnameChange(
        _ patch: HostConfigurationPatch,
        _ requestID: String?
    ) async throws(SupervisorError) -> String? {
        if patch.hostname == .unchanged { return nil }
        let former: String
        do throws(HostOperationError) {
            former = try await currentHostname(requestID) ?? ""
        } catch {
            throw Self.hostConfigError(error)
        }
        let standard = HostConfiguration.defaultHostname(uuid: uuid)
        let next = patch.hostname(after: former, standard: standard)
        return next == former ? nil : next
    }

    private func put(_ proxy: ProxySettings?, _ requestID: String?) async throws(HostOperationError) {
        if let proxy {
            _ = try await host.call(ProxySet.self, proxy, requestID: requestID)
        } else {
            _ = try await host.call(ProxyClear.self, EmptyPayload(), requestID: requestID)
        }
    }

    /// Returns how that went, for the end of a message.
    private func putBack(_ change: ProxyChange, _ requestID: String?) async -> String {
        guard let former = change.former else { return ", and the proxy stays cleared" }
        do throws(HostOperationError) {
            try await put(former, requestID)
            return ", and the proxy is as it was"
        } catch {
            logger.error("The former proxy could not be put back: \(error)", metadata: Self.metadata(requestID))
            return ", and the former proxy could not be put back: \(error)"
        }
    }

    // MARK: Reporting

    private static func metadata(_ requestID: String?) -> Logger.Metadata {
        requestID.map { ["request-id": "\($0)"] } ?? [:]
    }

    /// This endpoint distinguishes a wrong value, a missing or absent plugin, and one that is busy.
    private static func hostConfigError(_ error: HostOperationError) -> SupervisorError {
        let error = SupervisorError(error)
        switch error.code {
        case .invalidArgument, .notSupported, .notFound, .busy, .unavailable: return error
        default: return SupervisorError(.unavailable, error.message, retryAfter: error.retryAfter)
        }
    }
}
