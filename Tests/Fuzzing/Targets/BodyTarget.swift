import HostOperations
import JSON

@testable import SupervisorCore
@testable import SupervisorHTTP

/// Bodies and queries of requests, and the patch of the host's configuration. The first byte chooses the content type.
struct BodyTarget: FuzzTarget {
    func run(_ input: [UInt8]) {
        guard let first = input.first else { return }
        let content = Array(input.dropFirst())
        let type = first & 1 == 0 ? "application/json" : "application/x-www-form-urlencoded"
        if first & 2 != 0 { query(content) }
        guard let body = try? RequestBody(content, contentType: type) else { return }
        _ = try? body.appID
        _ = body.force
        _ = try? PluginCallBody(body)
        guard let patch = try? HostConfigurationPatch(body.members) else { return }
        let former = try? ProxySettings(
            type: "socks5",
            ip: "192.0.2.1",
            port: 1080,
            login: "x",
            noProxy: ["10.0.0.0/8"]
        )
        if let proxy = try? patch.proxy(after: former), let again = try? ProxySettings(json: proxy.json) {
            precondition(again == proxy, "a proxy is not what it was written as")
        }
        _ = patch.hostname(after: "a", standard: "b")
    }

    private func query(_ bytes: [UInt8]) {
        let query = String(decoding: bytes, as: UTF8.self)[...]
        let request = Request(id: "1", parameter: String(query), query: query, contentType: nil, bytes: [])
        _ = try? request.field("app")
        _ = try? request.number("tail", in: 0...1000)
        _ = try? request.appID
    }
}
