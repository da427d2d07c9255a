import Glibc
import JSON
import NATSKeys
import NIOCore

@testable import NATSClient

/// An operator with its accounts, as the service has them, and the configuration of a server for them.
struct Operator {
    let key = NKey.generate(.operatorKey)
    let system = NKey.generate(.account)
    let account = NKey.generate(.account)
    let deviceSigner = NKey.generate(.account)
    let now = Int64(time(nil))

    func configuration(extra: String = "") -> String {
        let root = OperatorJWT(name: "op", key: key.publicKey, systemAccount: system.publicKey, issuedAt: now).signed(
            by: key
        )
        var systemJWT = AccountJWT(name: "SYS", key: system.publicKey, issuedAt: now)
        systemJWT.isSystem = true
        return """
            listen: 127.0.0.1:-1
            operator: \(root)
            system_account: \(system.publicKey)
            resolver: { type: full, dir: "DIR/jwt", allow_delete: true, interval: "2s", timeout: "1.9s" }
            resolver_preload: {
              \(system.publicKey): \(systemJWT.signed(by: key))
              \(account.publicKey): \(accountJWT())
            }
            ping_interval: "20s"
            \(extra)
            """
    }

    /// - Parameter issuedAfter: Seconds later than the first one.
    func accountJWT(revoking users: [String] = []) -> String {
        var jwt = AccountJWT(name: "FLEET", key: account.publicKey, issuedAt: now)
        jwt.maxPayload = 1 << 20
        jwt.deviceSigningKey = deviceSigner.publicKey
        jwt.revocations = users.map { .init(user: $0, until: now + 60) }
        return jwt.signed(by: key)
    }

    func device(_ uuid: String, _ key: NKey, expiresIn seconds: Int64 = 3600) -> String {
        UserJWT(
            name: uuid,
            key: key.publicKey,
            issuedAt: now,
            expiresAt: Int64(time(nil)) + seconds,
            issuerAccount: account.publicKey,
            isScoped: true
        ).signed(by: deviceSigner)
    }

    func login(_ server: NATSServer, device uuid: String, _ key: NKey = .generate(.user)) -> NATSLogin {
        NATSLogin(servers: [server], jwt: device(uuid, key), key: key)
    }

    /// Of the service, or of the system account.
    func login(_ server: NATSServer, in account: NKey? = nil) -> NATSLogin {
        let key = NKey.generate(.user)
        let jwt = UserJWT(name: "service", key: key.publicKey, issuedAt: now).signed(by: account ?? self.account)
        return NATSLogin(servers: [server], jwt: jwt, key: key)
    }
}

extension Client {
    convenience init(_ login: NATSLogin, _ change: (inout NATSClientConfiguration) -> Void = { _ in }) {
        self.init(login.servers, jwt: login.jwt, key: login.key, change)
    }

    /// A device: answers each call with its payload, and header X of the call.
    static func device(
        _ login: NATSLogin,
        uuid: String,
        _ change: (inout NATSClientConfiguration) -> Void = { _ in }
    ) async throws -> Client {
        let client = Client(login) { configuration in
            configuration.makesRequests = false
            change(&configuration)
        }
        try await client.echo("sup.v1.dev.\(uuid).call")
        await client.connected()
        await client.bus.barrier()
        return client
    }

    func echo(_ subject: String) async throws {
        _ = try await bus.onLoop { client in
            try client.subscribe(subject) { message in
                guard let reply = message.reply else { return }
                var headers = NATSHeaders()
                if let value = message.headers["x"] { try? headers.add("X", value) }
                try? client.publish(reply, headers: headers, payload: message.payload)
            }
        }
    }
}

/// Why a request failed; nil where it did not.
func code(_ body: () async throws(NATSError) -> some Any) async -> NATSError.Code? {
    do throws(NATSError) {
        _ = try await body()
        return nil
    } catch {
        return error.code
    }
}
