import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import JSON
import Logging
import NATSClient
import NATSKeys
import NIOConcurrencyHelpers
import NIOCore

/// What the service is made of. Everything that outlives a request is here.
final class Fleet: Sendable {
    let configuration: FleetConfiguration
    let registry: Registry
    let accounts: BusAccounts
    let logger: Logger
    let bus: CommandBus?
    let events: EventHub
    let presence = Presence()
    let metrics = FleetMetrics()
    let reports: ReportQueue
    /// Attempts with a wrong credential, for each address.
    let failures = RateLimit(perSecond: 10, burst: 100)
    let requests: RateLimit

    private let client: AsyncNATSClient
    private let system: AsyncNATSClient
    private let isConnected = NIOLockedValueBox(false)

    init(
        configuration: FleetConfiguration,
        registry: Registry,
        keys: StateDirectory.Keys,
        group: any EventLoopGroup,
        logger: Logger
    ) throws {
        self.configuration = configuration
        self.registry = registry
        self.logger = logger
        let accounts = BusAccounts(keys: keys)
        self.accounts = accounts
        requests = RateLimit(
            perSecond: Double(configuration.requestsPerSecond),
            burst: Double(2 * configuration.requestsPerSecond)
        )
        let events = EventHub()
        self.events = events
        reports = ReportQueue(registry: registry, logger: logger) { devices in
            for device in devices { events.reported(device) }
        }
        let servers = try configuration.busAddresses.map { try NATSServer(parsing: $0) }
        let trust = try configuration.busTrust()
        let isConnected = isConnected
        func connection(_ name: String, _ account: NKey, _ note: @escaping @Sendable (Bool) -> Void) -> AsyncNATSClient
        {
            let user = NKey.generate(.user)
            let jwt = accounts.serviceJWT(for: user, account: account)
            let loop = group.next()
            var settings = NATSClientConfiguration(name: "supervisor-fleet \(name)")
            settings.tls = trust
            return AsyncNATSClient(
                loop: loop,
                configuration: settings,
                login: { _ in loop.makeSucceededFuture(NATSLogin(servers: servers, jwt: jwt, key: user)) },
                onEvent: { event in
                    switch event {
                    case .connected(let server, _):
                        logger.info("\(name): connected to \(server)")
                        note(true)
                    case .failed(let error, let delay):
                        note(false)
                        logger.warning("\(name): \(error); the next attempt is in \(delay.nanoseconds / 1_000_000) ms")
                    case .refused(let reason): logger.error("\(name): the server refuses: \(reason)")
                    case .lameDuck: logger.info("\(name): the server is about to close")
                    case .closed: note(false)
                    }
                }
            )
        }
        client = connection("bus", keys.account) { state in isConnected.withLockedValue { $0 = state } }
        system = connection("bus (system account)", keys.systemAccount) { _ in }
        bus = CommandBus(client: client)
    }

    var isBusConnected: Bool { isConnected.withLockedValue(\.self) }

    func start() async throws {
        client.start()
        system.start()
        let account = accounts.keys.account.publicKey
        try await system.subscribe("$SYS.ACCOUNT.\(account).CONNECT") { [presence, events] message in
            guard let uuid = Presence.device(in: message.payload) else { return }
            presence.connected(uuid, at: RegistryTransaction.now)
            events.presence(uuid, isConnected: true)
        }
        try await system.subscribe("$SYS.ACCOUNT.\(account).DISCONNECT") { [presence, events] message in
            guard let uuid = Presence.device(in: message.payload) else { return }
            if presence.disconnected(uuid, at: RegistryTransaction.now) { events.presence(uuid, isConnected: false) }
        }
    }

    func stop() async {
        await client.drain(within: .seconds(2))
        client.close()
        system.close()
    }

    // MARK: - Credentials of the bus

    /// Signs a login for a device, after a look at the registry in the same transaction.
    func issueBusCredentials(to device: FleetDevice, key: String) async throws -> JSONValue {
        guard NKey.isPublicKey(key, of: .user) else {
            throw Refusal(400, "nkey must be the public key of a user: U and 55 letters and digits")
        }
        let now = RegistryTransaction.now
        let issued = now / 1000
        let expires = issued + 86_400 - Int64.random(in: 0...7200)
        try await registry.write { transaction in
            guard let present = try transaction.device(id: device.id), !present.revoked,
                present.keyHash == device.keyHash, FleetDevice.isUUID(present.uuid)
            else { throw Refusal.unauthorized }
            guard try transaction.ownerOfBusKey(key) ?? present.uuid == present.uuid else {
                throw Refusal(409, "this nkey belongs to another device; a new one must be made for each login")
            }
            try transaction.addBusKey(key, uuid: present.uuid, issued: issued, expires: expires)
            try transaction.markKeyUsed(device: present.id)
        }
        return [
            "jwt": .string(accounts.deviceJWT(uuid: device.uuid, user: key, issued: issued, expires: expires)),
            "servers": .array(configuration.advertised.map { .string($0) }),
            "time": .integer(now),
            "renewAfterSec": .integer((expires - issued) * 4 / 5),
        ]
    }

    /// Tells the bus which logins are revoked; it closes their connections.
    func publishRevocations() async throws {
        let jwt = accounts.accountJWT(revocations: try await revocations())
        let request = NATSRequest("$SYS.REQ.CLAIMS.UPDATE", payload: ByteBuffer(string: jwt))
        let reply = try await system.request(request, deadline: .seconds(5))
        let answer = try JSONValue(parsing: reply.payload.readableBytesView)
        guard answer["data"]?["code"]?.integerValue == 200 else {
            throw Refusal(502, "the bus did not take the list of revoked logins")
        }
    }

    /// Publishes the list whenever it has changed, by whatever process, until the task is cancelled. Also prunes what has
    /// become too old.
    func watchRevocations(known: [String: Int64]) async {
        var known = known
        var round = 0
        while (try? await Task.sleep(for: .seconds(2))) != nil {
            do {
                let present = try await revocations()
                // A key whose JWT has expired may stay on the bus's list for a while.
                if present.contains(where: { known[$0.key] != $0.value }) {
                    try await publishRevocations()
                    known = present
                }
                round += 1
                if round % 1800 == 1 { try await registry.write { try $0.prune() } }
            } catch {
                logger.error("revoked logins: \(error)")
            }
        }
    }

    func revocations() async throws -> [String: Int64] {
        try await registry.read { transaction in
            Dictionary(try transaction.revokedBusKeys().map { ($0.user, $0.before) }) { max($0, $1) }
        }
    }

    /// A file of the page; nil where there is none.
    func page(_ name: String) -> Data? {
        FileManager.default.contents(atPath: configuration.pageDirectory + "/" + name)
    }

    /// Where a request comes from: behind a trusted proxy what that one says.
    func clientAddress(_ request: Request, _ remote: SocketAddress?) -> String {
        let direct = remote?.ipAddress ?? "local"
        guard configuration.trustedProxies.contains(direct), let name = HTTPField.Name("X-Forwarded-For"),
            let forwarded = request.headers[name]?.split(separator: ",").last
        else { return direct }
        return String(forwarded.utf8.filter { $0 != UInt8(ascii: " ") }.prefix(64).map { Character(UnicodeScalar($0)) })
    }
}
