import HostOperations
import JSON
import Logging
import Testing

@testable import SupervisorCore

/// Proxy and hostname, with a host and without a core.
struct HostConfiguratorTests {
    private static let former: JSONObject = ["type": "socks4", "ip": "10.0.0.1", "port": 1080]

    private let host = FakeHost()
    private let configurator: HostConfigurator

    init() {
        host.proxy = Self.former
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        configurator = HostConfigurator(host: host, uuid: String(repeating: "a", count: 32), logger: logger)
    }

    private func apply(_ body: JSONObject) async throws(SupervisorError) {
        let patch = try HostConfigurationPatch(body)
        try configurator.admit(patch)
        try await configurator.apply(patch, "r1")
    }

    private func refusal(_ body: JSONObject) async -> SupervisorError? {
        do throws(SupervisorError) {
            try await apply(body)
            return nil
        } catch {
            return error
        }
    }

    @Test func `what is there is read`() async throws {
        let configuration = try await configurator.read("r1")
        #expect(configuration.hostname == "former")
        #expect(configuration.proxy?.ip == "10.0.0.1")
        #expect(host.calls == ["proxy.get", "hostname.get"])
    }

    @Test func `what is absent from a patch is not touched`() async throws {
        try await apply(["network": [:]])
        #expect(host.calls == [])
        try await apply(["network": ["hostname": "former"]])
        #expect(host.calls == ["hostname.get"])
    }

    @Test func `proxy and hostname change in that order`() async throws {
        try await apply(["network": ["proxy": ["port": 9], "hostname": ""]])
        #expect(host.calls == ["proxy.get", "hostname.get", "proxy.set", "hostname.set"])
        #expect(host.hostname == "aaaaaaa")
        #expect(host.proxy["port"] == 9)
    }

    @Test func `the proxy is put back where the hostname cannot be set`() async {
        host.fail(HostnameSet.name, HostOperationError(.failed, "no space"))
        let error = await refusal(["network": ["proxy": nil, "hostname": "new"]])
        #expect(error?.code == .unavailable)
        #expect(error?.message == "no space, and the proxy is as it was")
        #expect(host.proxy == Self.former)
    }

    @Test func `damaged settings are cleared, and stay cleared`() async {
        host.fail(ProxyGet.name, HostOperationError(.failed, "line 3"))
        host.fail(HostnameSet.name, HostOperationError(.busy, "not now", retryAfter: 3))
        let error = await refusal(["network": ["proxy": nil, "hostname": "new"]])
        #expect(error?.code == .busy && error?.retryAfter == 3)
        #expect(error?.message == "not now, and the proxy stays cleared")
        #expect(host.proxy == [:])
    }

    @Test func `a patch is refused where no plugin does what it asks for`() async {
        host.provided.remove(ProxySet.name)
        #expect(await refusal(["network": ["proxy": ["port": 9]]])?.code == .notSupported)
        #expect(await refusal(["network": ["hostname": "new"]]) == nil)
        host.provided = []
        #expect(await refusal([:])?.message == "This device has no plugin for proxy.get")
    }
}
