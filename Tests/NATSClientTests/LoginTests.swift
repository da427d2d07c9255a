import Glibc
import NATSKeys
import NIOCore
import Synchronization
import Testing

@testable import NATSClient

@Suite("A device at a real nats-server", .timeLimit(.minutes(2)))
struct LoginTests {
    static let uuid = "0123456789abcdef0123456789abcdef"
    let fleet = Operator()

    @Test("logs in with its JWT, answers its calls, and may do nothing else")
    func permissions() async throws {
        let server = try ServerProcess(fleet.configuration())
        let device = try await Client.device(fleet.login(server.address(), device: Self.uuid), uuid: Self.uuid)
        let service = Client(fleet.login(server.address()))
        await service.connected()
        let reply = try await service.bus.request(
            NATSRequest("sup.v1.dev.\(Self.uuid).call", payload: ByteBuffer(string: "hello")),
            deadline: ample
        )
        #expect(String(buffer: reply.payload) == "hello")
        for subject in ["sup.v1.dev.ff.call", "sup.v1.dev.*.call", "sup.v1.>", "_INBOX.>", ">"] {
            let start = device.seen.count
            try await device.bus.subscribe(subject) { _ in Issue.record("received from \(subject)") }
            let text = await device.wait(from: start) { if case .refused(let text) = $0 { text } else { nil } }.0
            #expect(text.contains("Permissions Violation for Subscription to \"\(subject)\""))
        }
        for subject in ["sup.v1.dev.\(Self.uuid).call", "sup.v1.dev.ff.call", "_INBOX.x.1.1", "$SYS.REQ.SERVER.PING"] {
            let start = device.seen.count
            try await device.bus.publish(subject, payload: ByteBuffer(string: "x"))
            let text = await device.wait(from: start) { if case .refused(let text) = $0 { text } else { nil } }.0
            #expect(text.contains("Permissions Violation for Publish to \"\(subject)\""))
        }
        #expect(await device.bus.isConnected)
    }

    @Test("is refused with a JWT of another signer, an expired one, or one of another key, and tries again for ever")
    func refused() async throws {
        let server = try ServerProcess(fleet.configuration())
        let key = NKey.generate(.user)
        let logins = [
            Operator().login(server.address(), device: Self.uuid),
            NATSLogin(servers: [server.address()], jwt: fleet.device(Self.uuid, key, expiresIn: -5), key: key),
            NATSLogin(servers: [server.address()], jwt: fleet.device(Self.uuid, key), key: .generate(.user)),
            NATSLogin(servers: [server.address()]),
        ]
        for login in logins {
            let client = Client(login)
            var next = 0
            for _ in 0..<3 {
                let failure = await client.failure(from: next)
                #expect(failure.0.code == .authorization)
                next = failure.next
            }
            // The closure sees why, and what it answers then is used.
            client.use(fleet.login(server.address(), device: Self.uuid))
            await client.connected(from: next)
            #expect(client.attempts.withLock { $0.dropFirst().allSatisfy { $0?.code == .authorization } })
            #expect(client.attempts.withLock { $0.first } == .some(nil))
        }
    }

    @Test("logs in with each of 600 keys: no byte of a signature is special")
    func signatures() async throws {
        let server = try ServerProcess(fleet.configuration())
        for _ in 0..<600 {
            let client = Client(fleet.login(server.address(), device: Self.uuid)) { $0.makesRequests = false }
            await client.connected()
            #expect(client.seen.count == 1)
        }
    }

    @Test("is dropped when its JWT expires, and is back with the next one")
    func expiry() async throws {
        let server = try ServerProcess(fleet.configuration())
        let key = NKey.generate(.user)
        let login = NATSLogin(servers: [server.address()], jwt: fleet.device(Self.uuid, key, expiresIn: 3), key: key)
        let client = Client(login) { $0.makesRequests = false }
        let next = await client.connected()
        client.use(fleet.login(server.address(), device: Self.uuid))
        let failure = await client.failure(from: next)
        #expect(failure.0.code == .authorization)
        await client.connected(from: failure.next)
    }

    @Test("is dropped at once when it is revoked, a call under way ends as disconnected, and the others stay")
    func revocation() async throws {
        let server = try ServerProcess(fleet.configuration())
        let (key, other) = (NKey.generate(.user), "aa")
        let device = Client(fleet.login(server.address(), device: Self.uuid, key)) { $0.makesRequests = false }
        let second = try await Client.device(fleet.login(server.address(), device: other), uuid: other)
        let (system, service) = (
            Client(fleet.login(server.address(), in: fleet.system)), Client(fleet.login(server.address()))
        )
        let next = await device.connected()
        await system.connected()
        await service.connected()
        let update = try await system.bus.request(
            NATSRequest(
                "$SYS.REQ.CLAIMS.UPDATE",
                payload: ByteBuffer(string: fleet.accountJWT(revoking: [key.publicKey]))
            ),
            deadline: ample
        )
        #expect(String(buffer: update.payload).contains("\"code\":200"))
        let failure = await device.failure(from: next)
        #expect(failure.0.code == .authorization)
        // Each further attempt is refused, too.
        #expect(await device.failure(from: failure.next).0.code == .authorization)
        #expect(second.seen.count == 1)
        let call = NATSRequest("sup.v1.dev.\(Self.uuid).call", payload: ByteBuffer())
        #expect(
            await code { () async throws(NATSError) in try await service.bus.request(call, deadline: ample) }
                == .noResponders
        )
        // With a new key it may come back.
        device.use(fleet.login(server.address(), device: Self.uuid))
        await device.connected(from: failure.next)
    }
}
