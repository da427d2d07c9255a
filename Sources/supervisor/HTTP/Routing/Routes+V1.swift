import JSON
import NIOHTTP1
import SupervisorCore

extension [Route] {
    /// API v1, which docs/api.md describes.
    static let v1: [Route] = answers + applications + host

    private static let answers: [Route] = [
        Route(method: .GET, path: "/ping", access: .ping, action: .immediate { _, _ throws(SupervisorError) in .ok }),
        Route(
            method: .GET,
            path: "/v1/healthy",
            access: .open,
            action: .immediate { _, device throws(SupervisorError) in
                guard let ailment = device.ailmentNow() else { return .empty }
                return .text(.internalServerError, APIText.sanitised(ailment))
            }
        ),
        Route(
            method: .GET,
            path: "/v1/device",
            action: .task { _, device throws(SupervisorError) in .json(await device.device()) }
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
            action: .task { _, device throws(SupervisorError) in .text(.ok, try await device.regenerateKey()) }
        ),
    ]

    private static let applications: [Route] = [
        Route(
            method: .POST,
            path: "/v1/purge",
            readsBody: true,
            isNotable: true,
            errors: .data,
            action: .task { request, device throws(SupervisorError) in
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
            action: .task { request, device throws(SupervisorError) in
                let body = try request.body
                try await device.restart(try body.appID, force: body.force)
                return .ok
            }
        ),
        Route(
            method: .GET,
            path: "/v1/apps/:id",
            action: .wait { request, device throws(SupervisorError) in
                .json(try await device.application(try request.appID))
            }
        ),
        Route(
            method: .POST,
            path: "/v1/apps/:id/stop",
            readsBody: true,
            isNotable: true,
            action: .task { request, device throws(SupervisorError) in
                let id = try request.appID
                let container = try await device.stop(id, force: try request.body.force)
                return .json(["containerId": .string(container)])
            }
        ),
        Route(
            method: .POST,
            path: "/v1/apps/:id/start",
            isNotable: true,
            action: .task { request, device throws(SupervisorError) in
                .json(["containerId": .string(try await device.start(try request.appID))])
            }
        ),
    ]

    /// Operations of plugins.
    private static let host: [Route] = [
        Route(
            method: .POST,
            path: "/v1/blink",
            isNotable: true,
            action: .task { request, device throws(SupervisorError) in
                let hasLED = try await device.blink(requestID: request.id)
                return hasLED ? .empty : .empty.with("X-Supervisor-Led", "none")
            }
        ),
        Route(
            method: .POST,
            path: "/v1/reboot",
            readsBody: true,
            isNotable: true,
            errors: .data,
            action: .task { request, device throws(SupervisorError) in
                try await device.reboot(force: try request.body.force, requestID: request.id)
                return .json(["Data": "OK", "Error": ""], .accepted)
            }
        ),
        Route(
            method: .POST,
            path: "/v1/shutdown",
            readsBody: true,
            isNotable: true,
            errors: .data,
            action: .task { request, device throws(SupervisorError) in
                try await device.powerOff(force: try request.body.force, requestID: request.id)
                return .json(["Data": "OK", "Error": ""], .accepted)
            }
        ),
        Route(method: .POST, path: "/v1/tcp-ping", isNotable: true, action: .setTCPPing(true)),
        Route(method: .DELETE, path: "/v1/tcp-ping", isNotable: true, action: .setTCPPing(false)),
        Route(
            method: .GET,
            path: "/v1/device/host-config",
            action: .task { request, device throws(SupervisorError) in
                .json(try await device.hostConfig(requestID: request.id))
            }
        ),
        Route(
            method: .PATCH,
            path: "/v1/device/host-config",
            readsBody: true,
            isNotable: true,
            action: .task { request, device throws(SupervisorError) in
                try await device.setHostConfig(try request.body.members, requestID: request.id)
                return .ok
            }
        ),
    ]
}

extension Route.Action {
    fileprivate static func setTCPPing(_ isEnabled: Bool) -> Route.Action {
        .task { request, device throws(SupervisorError) in
            try await device.setTCPPing(isEnabled, requestID: request.id)
            return .noContent
        }
    }
}
