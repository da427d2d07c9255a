import Foundation
import HTTPTypes
import Hummingbird
import JSON

extension FleetService {
    /// What the page may load and do: its own files, and requests to this service.
    private static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    private static let types = [
        "html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8",
        "svg": "image/svg+xml", "png": "image/png", "ico": "image/x-icon",
    ]
    private static let sizeLimit = 2 << 20

    /// A file of the page. Only names of one level are served, so that no path leads out of the folder.
    func page(_ call: Call) throws -> Answer {
        let name = call.parts.first ?? "index.html"
        guard call.parts.count <= 1, let dot = name.utf8.lastIndex(of: UInt8(ascii: ".")), name.utf8.first != 0x2E,
            name.utf8.allSatisfy({ (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || ".-".utf8.contains($0) }
            ),
            let type = Self.types[String(name[name.utf8.index(after: dot)...])],
            let data = fleet.page(name), data.count <= Self.sizeLimit
        else { throw Refusal.notFound }
        guard call.method == "GET" || call.method == "HEAD" else { throw Refusal.methodNotAllowed("GET, HEAD") }
        let bytes = [UInt8](data)
        let tag = "\"\(Secret.hash(bytes).prefix(32))\""
        let answer =
            call.request.headers[.ifNoneMatch] == tag ? Answer(304) : Answer(200, type, bytes)
        return answer.with(.eTag, tag).with(.cacheControl, "no-cache").with(.contentSecurityPolicy, Self.policy)
            .with(.xContentTypeOptions, "nosniff")
    }

    /// The text format of Prometheus, version 0.0.4.
    func metricsText() -> [UInt8] {
        var text = """
            # HELP fleet_http_requests_total Answers by status code.
            # TYPE fleet_http_requests_total counter

            """
        for (status, count) in fleet.metrics.byStatus {
            text += "fleet_http_requests_total{code=\"\(status)\"} \(count)\n"
        }
        text += """
            # HELP fleet_bus_connected Whether the service is connected to the bus.
            # TYPE fleet_bus_connected gauge
            fleet_bus_connected \(fleet.isBusConnected ? 1 : 0)
            # HELP fleet_devices_connected Devices that the bus reports as connected.
            # TYPE fleet_devices_connected gauge
            fleet_devices_connected \(fleet.presence.connectedCount)

            """
        return Array(text.utf8)
    }
}
