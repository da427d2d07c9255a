import HTTPTypes
import Hummingbird
import HummingbirdCore
import JSON
import NIOCore

extension FleetService {
    private static let noDevice = Refusal(Answer(404, "No online device(s) found"))
    /// More devices than this are answered line by line only.
    private static let arrayLimit = 10_000
    /// What an array of answers may take in memory.
    private static let arraySize = 64 << 20

    /// `POST /supervisor/<url>`
    func command(_ call: Call) async throws -> Answer {
        let principal = try await principal(call)
        let path = String(call.path.utf8.dropFirst("/supervisor".utf8.count)) ?? ""
        guard path.utf8.count > 1 else { throw Refusal.notFound }
        guard CommandPath.isValid(path) else {
            throw Refusal(
                Answer(
                    400,
                    .string("The url must be / and printable ASCII without ? and #, \(CommandPath.limit) bytes at most")
                )
            )
        }
        let bytes = try await call.body(limit: Self.bodyLimit)
        let request: ProxyRequest
        do { request = try ProxyRequest(parsing: bytes) } catch {
            throw Refusal(error.message.map { Answer(400, .string($0)) } ?? Answer(400))
        }
        guard case .token(let token, let scope) = principal else { throw Self.noDevice }
        let devices = try await selected(request, token)
        guard !devices.isEmpty else { throw Self.noDevice }
        let needed = CommandPath.scope(method: request.method, path: path)
        guard scope >= needed else {
            throw Refusal(
                Answer(403, .string("The token's scope is \(scope.rawValue); \(needed.rawValue) is required"))
            )
        }
        let wantsLines = call.request.headers[.accept]?.contains("application/x-ndjson") == true
        guard wantsLines || devices.count <= Self.arrayLimit else {
            let message = "More than \(Self.arrayLimit) devices match; use Accept: application/x-ndjson"
            throw Refusal(Answer(400, .string(message)))
        }
        let key = try await idempotencyKey(call, token, request, path)
        return try await send(
            request,
            path: path,
            to: devices,
            key: key,
            token: token,
            asLines: wantsLines
        )
    }

    /// The restart that SDKs send to devices with a supervisor below 7.0.0: `POST /device/<id>/restart`.
    func restart(_ call: Call, device id: Int64) async throws -> Answer {
        guard case .token(let token, let scope) = try await principal(call) else { throw Self.noDevice }
        let registry = fleet.registry
        let device = try await registry.read { try $0.device(id: id) }
        guard let device, token.covers(application: device.application), !device.revoked else { throw Self.noDevice }
        guard scope >= .operate else { throw Refusal(403, "the token's scope is read; operate is required") }
        let body: JSONValue = ["deviceId": .integer(id), "data": ["appId": .integer(device.application)]]
        guard let request = try? ProxyRequest(parsing: body.encoded()) else { throw Refusal.notFound }
        return try await send(
            request,
            path: "/v1/restart",
            to: [device],
            key: Secret.hex(bytes: 16),
            token: token,
            asLines: false
        )
    }

    private func selected(_ request: ProxyRequest, _ token: Token) async throws -> [FleetDevice] {
        try await fleet.registry.read { transaction in
            let found: [FleetDevice]
            if let uuid = request.uuid {
                guard FleetDevice.isUUID(uuid) else { return [] }
                found = try transaction.device(uuid: uuid).map { [$0] } ?? []
            } else if let id = request.deviceID {
                found = try transaction.device(id: id).map { [$0] } ?? []
            } else if let application = request.applicationID, token.covers(application: application) {
                found = try transaction.devices(application: application, limit: 1_000_000)
            } else {
                found = []
            }
            return found.filter { device in
                !device.revoked && token.covers(application: device.application)
                    && request.deviceID ?? device.id == device.id
                    && request.applicationID ?? device.application == device.application
            }
        }
    }

    private func idempotencyKey(
        _ call: Call,
        _ token: Token,
        _ request: ProxyRequest,
        _ path: String
    ) async throws -> String {
        guard let key = call.header("Idempotency-Key") else { return Secret.hex(bytes: 16) }
        guard (1...255).contains(key.utf8.count), key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw Refusal(400, "the Idempotency-Key must be 1 to 255 printable ASCII characters without blanks")
        }
        let filters = "\(request.uuid ?? "") \(request.deviceID ?? -1) \(request.applicationID ?? -1)"
        let digest = Secret.hash("\(filters)\n\(request.method)\n\(path)\n\(request.data ?? "")")
        let isSame = try await fleet.registry.write { transaction in
            try transaction.claim(idempotencyKey: key, token: token.id, digest: digest)
        }
        guard isSame else { throw Refusal(422, "this Idempotency-Key came with another request before") }
        return key
    }

    private func send(
        _ request: ProxyRequest,
        path: String,
        to devices: [FleetDevice],
        key: String,
        token: Token,
        asLines: Bool
    ) async throws -> Answer {
        guard let bus = fleet.bus else { throw Refusal(502, "the bus is not available; nothing was sent") }
        let actor = "token:\(token.name)"
        let timeout = fleet.configuration.commandTimeout
        let notAfter = RegistryTransaction.now + timeout
        let commands = devices.map { device in
            let command = Command(
                token: token.id,
                key: key,
                device: device.uuid,
                method: request.method,
                path: path,
                body: request.data,
                notAfter: notAfter,
                actor: actor
            )
            return (uuid: device.uuid, command: command)
        }
        guard let first = commands.first, first.command.encoded().count <= Command.sizeLimit else {
            throw Refusal(413, "the command is larger than \(Command.sizeLimit) bytes")
        }
        let title = "\(request.method) \(path)"
        let registry = fleet.registry
        // At the same time as the command: both wait, one for the disk and one for the device.
        async let noted: Void = {
            guard request.method != "GET" else { return }
            let subject = devices.count == 1 ? devices[0].uuid : "application \(devices[0].application)"
            let detail = "\(devices.count) devices, body of \(request.data?.utf8.count ?? 0) bytes"
            try await registry.write { try $0.note(actor: actor, action: title, subject: subject, detail: detail) }
        }()
        let results = try bus.send(commands, deadline: .milliseconds(timeout))
        if asLines {
            try await noted
            return lines(results, count: commands.count, title: title, actor: actor)
        }
        let answers = await gathered(results, title: title, actor: actor, isArray: devices.count > 1)
        try await noted
        if Task.isCancelled {
            for (uuid, command) in commands where answers[uuid] == nil { await bus.cancel(uuid, id: command.id) }
        }
        let called = devices.compactMap { device in
            answers[device.uuid].map { CommandResult(uuid: device.uuid, answer: $0) }
        }
        if called.isEmpty { return Self.noDevice.answer }
        if called.count == 1, let answer = called[0].answer { return Answer(answer) }
        return Answer(207, .array(called.map(\.element)))
    }

    /// The answers of the devices that were called, by uuid.
    private func gathered(
        _ results: AsyncStream<[CommandResult]>,
        title: String,
        actor: String,
        isArray: Bool
    ) async -> [String: DeviceAnswer] {
        var answers: [String: DeviceAnswer] = [:]
        var size = 0
        for await batch in results {
            for result in batch {
                fleet.events.command(title, result, actor: actor)
                guard var answer = result.answer else { continue }
                if isArray {
                    size += answer.value.encoded().count
                    if size > Self.arraySize {
                        answer = .failure(502, "the answers of all devices are too large for an array")
                    }
                }
                answers[result.uuid] = answer
            }
        }
        return answers
    }

    /// One line for each device as it answers, offline ones included, and a summary at the end.
    private func lines(
        _ results: AsyncStream<[CommandResult]>,
        count: Int,
        title: String,
        actor: String
    ) -> Answer {
        let events = fleet.events
        let body = ResponseBody { writer in
            var statuses: [Int: Int64] = [:]
            for await batch in results {
                var bytes: [UInt8] = []
                for result in batch {
                    events.command(title, result, actor: actor)
                    statuses[result.answer?.status ?? 404, default: 0] += 1
                    result.element.encode(into: &bytes)
                    bytes.append(UInt8(ascii: "\n"))
                }
                try await writer.write(ByteBuffer(bytes: bytes))
            }
            let codes = statuses.sorted { $0.key < $1.key }.map { (String($0.key), JSONValue.integer($0.value)) }
            let summary: JSONValue = [
                "summary": ["devices": .integer(Int64(count)), "statusCodes": .object(JSONObject(codes))]
            ]
            try await writer.write(ByteBuffer(bytes: summary.encoded() + [UInt8(ascii: "\n")]))
            try await writer.finish(nil)
        }
        return Answer(200, "application/x-ndjson", stream: body)
    }
}
