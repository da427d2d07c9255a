import HTTPTypes
import Hummingbird
import HummingbirdCore
import JSON
import Logging
import NIOConcurrencyHelpers
import NIOCore

/// The HTTP interface: finds out who asks and what for, and has it answered.
struct FleetService: HTTPResponder {
    static let bodyLimit = 512 << 10

    let fleet: Fleet

    func respond(to request: Request, context: FleetContext) async throws -> Response {
        let call = Call(request, address: fleet.clientAddress(request, context.remoteAddress), channel: context.channel)
        let answer = await answer(to: call)
        fleet.metrics.count(status: answer.status)
        return answer.response
    }

    private func answer(to call: Call) async -> Answer {
        do {
            return try await route(call)
        } catch let refusal as Refusal {
            return refusal.answer
        } catch let error as SQLError {
            fleet.logger.error("\(error)")
            return .error(503, "the registry cannot be used at the moment")
        } catch {
            fleet.logger.error("\(call.method) \(call.path): \(error)")
            return .error(500, "the request failed inside the service")
        }
    }

    private func route(_ call: Call) async throws -> Answer {
        let path = call.path
        if path.utf8.starts(with: "/supervisor/".utf8) {
            guard call.method == "POST" else { throw Refusal.methodNotAllowed("POST") }
            // A caller that goes away is not waited for, and neither are the devices.
            let watch = try await call.channel.pipeline.handler(type: CallerWatch.self).get()
            return try await watch.whileThere { try await command(call) }
        }
        switch call.parts.first {
        case "ping" where call.parts.count == 1: return Answer(200, text: "OK")
        case "healthy" where call.parts.count == 1: return health()
        case "metrics" where call.parts.count == 1: return Answer(200, "text/plain; version=0.0.4", metricsText())
        case "device", "api-key", "bus": return try await deviceRoute(call)
        case "api": return try await resourceRoute(call)
        case "whoami", "actor", "user", "v4", "v5", "v6", "v7": return try await question(call)
        default: return try page(call)
        }
    }

    // MARK: - Who asks

    /// The principal of a request; 401 without one, 429 for an address that fails too often.
    func principal(_ call: Call) async throws -> Principal {
        guard let credential = call.credential else { throw Refusal.unauthorized }
        let registry = fleet.registry
        let principal = try await registry.read { try Principal.resolve(credential, in: $0) }
        guard let principal else {
            guard fleet.failures.take(call.address) else {
                throw Refusal(Answer.error(429, "too many failed attempts").with(.retryAfter, "10"))
            }
            throw Refusal.unauthorized
        }
        guard fleet.requests.take(principal.name) else {
            throw Refusal(Answer.error(429, "too many requests").with(.retryAfter, "1"))
        }
        if case .token(let token, _) = principal, token.lastUsed ?? 0 < RegistryTransaction.now - 60_000 {
            try await registry.write { try $0.noteUse(ofToken: token.id) }
        }
        return principal
    }

    /// A person's or a program's token with at least a scope.
    func token(_ call: Call, atLeast needed: Scope) async throws -> (token: Token, scope: Scope) {
        guard case .token(let token, let scope) = try await principal(call) else {
            throw Refusal(403, "this credential is for devices; a token is required")
        }
        guard scope >= needed else {
            throw Refusal(403, "the token's scope is \(scope.rawValue); \(needed.rawValue) is required")
        }
        return (token, scope)
    }

    private func health() -> Answer {
        fleet.isBusConnected
            ? Answer(200, ["status": "ok"]) : .error(503, "the bus is not connected")
    }
}
