import NATSKeys
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

@testable import NATSClient

/// Time for what must come; far more than it takes.
let ample = TimeAmount.seconds(20)

/// A client whose events can be awaited.
final class Client: Sendable {
    let bus: AsyncNATSClient
    let loop: any EventLoop
    private let events: Mutex<(seen: [NATSEvent], waiting: [CheckedContinuation<Void, Never>])> = Mutex(([], []))
    private let login: Mutex<NATSLogin>
    let attempts: Mutex<[NATSError?]> = Mutex([])

    init(
        _ servers: [NATSServer],
        jwt: String? = nil,
        key: NKey? = nil,
        _ change: (inout NATSClientConfiguration) -> Void = { _ in }
    ) {
        loop = MultiThreadedEventLoopGroup.singleton.next()
        var configuration = NATSClientConfiguration(name: "test")
        configuration.firstBackOff = .milliseconds(20)
        configuration.longestBackOff = .milliseconds(100)
        change(&configuration)
        login = Mutex(NATSLogin(servers: servers, jwt: jwt, key: key))
        let reference = Reference()
        let loop = loop
        bus = AsyncNATSClient(
            loop: loop,
            configuration: configuration,
            login: { error in
                guard let client = reference.get() else { return loop.makeFailedFuture(CancellationError()) }
                client.attempts.withLock { $0.append(error) }
                return loop.makeSucceededFuture(client.login.withLock { $0 })
            },
            onEvent: { reference.get()?.happened($0) }
        )
        reference.set(self)
        bus.start()
    }

    deinit { bus.close() }

    /// What the next attempt logs in with.
    func use(_ new: NATSLogin) {
        login.withLock { $0 = new }
    }

    var seen: [NATSEvent] { events.withLock { $0.seen } }

    private func happened(_ event: NATSEvent) {
        let waiting = events.withLock { events in
            events.seen.append(event)
            defer { events.waiting = [] }
            return events.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Waits for an event that `matches` takes, from the one with the number `start` on. Returns it and the number after it.
    @discardableResult
    func wait<Value>(from start: Int = 0, for matches: (NATSEvent) -> Value?) async -> (Value, next: Int) {
        var position = start
        while true {
            while let event = events.withLock({ $0.seen.count > position ? $0.seen[position] : nil }) {
                position += 1
                if let value = matches(event) { return (value, position) }
            }
            await withCheckedContinuation { continuation in
                let isThere = events.withLock { events in
                    if events.seen.count > position { return true }
                    events.waiting.append(continuation)
                    return false
                }
                if isThere { continuation.resume() }
            }
        }
    }

    @discardableResult
    func connected(from start: Int = 0) async -> Int {
        await wait(from: start) { if case .connected = $0 { true } else { nil } }.next
    }

    func failure(from start: Int = 0) async -> (NATSError, next: Int) {
        await wait(from: start) { if case .failed(let error, _) = $0 { error } else { nil } }
    }
}

/// A reference that does not keep what it refers to.
private final class Reference: Sendable {
    private struct Weak: @unchecked Sendable { weak var client: Client? }
    private let value = Mutex(Weak())

    func set(_ client: Client) { value.withLock { $0.client = client } }
    func get() -> Client? { value.withLock { $0.client } }
}
