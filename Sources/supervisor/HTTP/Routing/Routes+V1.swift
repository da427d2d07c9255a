import NIOHTTP1
import SupervisorCore
import SupervisorPluginAPI

extension [Route] {
    /// API v1 as the reference has it.
    static let v1: [Route] = answers + applications + host

    private static let answers: [Route] = [
        Route(method: .GET, path: "/ping", access: .ping, action: .immediate { _, _ throws(SupervisorError) in .ok }),
        Route(
            method: .GET,
            path: "/v1/healthy",
            access: .open,
            action: .immediate { _, device throws(SupervisorError) in
                guard let ailment = device.ailmentNow() else { return .empty }
                return .text(.internalServerError, PlainText.sanitised(ailment))
            }
        ),
        Route(
            method: .GET,
            path: "/v1/device",
            action: .operation { _, device throws(SupervisorError) in .json(await device.device()) }
        ),
        Route(
            method: .POST,
            path: "/v1/update",
            readsBody: true,
            isNotable: true,
            action: .immediate { request, device throws(SupervisorError) in
                device.requestUpdateNow(force: try request.body.force)
                return .noContent
            }
        ),
        Route(
            method: .POST,
            path: "/v1/regenerate-api-key",
            isNotable: true,
            action: .operation { _, device throws(SupervisorError) in .text(.ok, try await device.regenerateKey()) }
        ),
    ]

    private static let applications: [Route] = [
        Route(
            method: .POST,
            path: "/v1/purge",
            readsBody: true,
            isNotable: true,
            errors: .data,
            action: .operation { request, device throws(SupervisorError) in
                let body = try request.body
                try await device.purge(try body.appID, force: body.force)
                return .json(["Data": "OK", "Error": ""])
            }
        ),
        Route(
            method: .POST,
            path: "/v1/restart",
            readsBody: true,
            isNotable: true,
            action: .operation { request, device throws(SupervisorError) in
                let body = try request.body
                try await device.restart(try body.appID, force: body.force)
                return .ok
            }
        ),
        Route(
            method: .GET,
            path: "/v1/apps/:id",
            action: .immediate { request, device throws(SupervisorError) in
                .json(try device.applicationNow(try request.appID))
            }
        ),
        Route(
            method: .POST,
            path: "/v1/apps/:id/stop",
            readsBody: true,
            isNotable: true,
            action: .operation { request, device throws(SupervisorError) in
                let id = try request.appID
                let container = try await device.stop(id, force: try request.body.force)
                return .json(["containerId": .string(container)])
            }
        ),
        Route(
            method: .POST,
            path: "/v1/apps/:id/start",
            isNotable: true,
            action: .operation { request, device throws(SupervisorError) in
                .json(["containerId": .string(try await device.start(try request.appID))])
            }
        ),
    ]

    /// Operations of plugins.
    private static let host: [Route] = [
        Route(method: .POST, path: "/v1/blink", isNotable: true, action: .lacking("led.blink")),
        Route(method: .POST, path: "/v1/reboot", isNotable: true, errors: .data, action: .lacking("power.reboot")),
        Route(method: .POST, path: "/v1/shutdown", isNotable: true, errors: .data, action: .lacking("power.power-off")),
        Route(method: .POST, path: "/v1/tcp-ping", isNotable: true, action: .lacking("tcp-ping.enable")),
        Route(method: .DELETE, path: "/v1/tcp-ping", isNotable: true, action: .lacking("tcp-ping.disable")),
        Route(method: .GET, path: "/v1/device/host-config", action: .lacking("proxy.get")),
        Route(method: .PATCH, path: "/v1/device/host-config", isNotable: true, action: .lacking("proxy.set")),
    ]
}

extension Route.Action {
    /// What the supervisor itself cannot do and nothing provides.
    fileprivate static func lacking(_ operation: String) -> Route.Action {
        .immediate { _, _ throws(SupervisorError) in
            throw SupervisorError(.notSupported, "This supervisor has no plugin for \(operation) yet")
        }
    }
}
