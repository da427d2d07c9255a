import JSON
import NIOHTTP1
import SupervisorCore

extension [Route] {
    /// What the control socket serves besides API v1.
    static let control: [Route] = [
        Route(
            method: .GET,
            path: "/control/status",
            errors: .verbatim,
            action: .task { _, device throws(SupervisorError) in .json(await device.status()) }
        ),
        Route(
            method: .GET,
            path: "/control/locks",
            errors: .verbatim,
            action: .wait { request, device throws(SupervisorError) in
                if FormFields(request.query).contains(where: { $0.isNamed("wait") && $0.value == "1" }) {
                    try await device.waitUntilUnlocked()
                    return .json([])
                }
                return .json(await device.locks())
            }
        ),
        Route(
            method: .GET,
            path: "/control/key",
            isNotable: true,
            errors: .verbatim,
            action: .immediate { _, device throws(SupervisorError) in .text(.ok, device.currentKeyNow()) }
        ),
        Route(
            method: .GET,
            path: "/control/plugins",
            errors: .verbatim,
            action: .task { _, device throws(SupervisorError) in .json(await device.plugins()) }
        ),
        Route(
            method: .GET,
            path: "/control/events",
            errors: .verbatim,
            action: .stream { request, device throws(SupervisorError) in
                await device.events(maximumAge: try request.number("since", in: 0...Int64.max))
            }
        ),
        Route(
            method: .GET,
            path: "/control/logs",
            errors: .verbatim,
            action: .stream { request, device throws(SupervisorError) in
                guard let app = AppID(digits: try request.field("app") ?? "") else {
                    throw SupervisorError(.invalidArgument, "The query names no application: app=NUMBER")
                }
                return try await device.logs(
                    app,
                    service: try request.field("service"),
                    tail: Int(try request.number("tail", in: 0...1_000_000) ?? 100),
                    follow: try request.field("follow") == "1"
                )
            }
        ),
        Route(
            method: .GET,
            path: "/control/config",
            errors: .verbatim,
            action: .task { _, device throws(SupervisorError) in .json(await device.configuration()) }
        ),
        Route(
            method: .GET,
            path: "/control/volumes",
            errors: .verbatim,
            action: .task { _, device throws(SupervisorError) in .json(try await device.volumes()) }
        ),
        Route(
            method: .POST,
            path: "/control/call",
            readsBody: true,
            isNotable: true,
            errors: .verbatim,
            action: .task { request, device throws(SupervisorError) in
                let call = try PluginCallBody(try request.body)
                return .json(try await device.call(call.operation, call.parameters, record: call.record))
            }
        ),
        Route(
            method: .POST,
            path: "/control/reload",
            isNotable: true,
            errors: .verbatim,
            action: .task { _, device throws(SupervisorError) in
                try await device.reload()
                return .ok
            }
        ),
    ]
}
