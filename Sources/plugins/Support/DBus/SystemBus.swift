import CDBus
import Glibc
import SupervisorPluginAPI

/// The system bus: a private connection on a thread of its own.
///
/// It connects at first use, and again at the first use after the bus went away; a request is never sent twice. Calls
/// end at their time-out, and soon after their task was cancelled. Several may be under way at once. No person is ever
/// prompted for a password (the flag ALLOW_INTERACTIVE_AUTHORIZATION is not set).
public actor SystemBus {
    private nonisolated let thread: BlockingThread
    public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    private let address: String
    private var connection: BusConnection?
    private var lastWatch = 0

    /// How long a wait lasts before it checks whether its task was cancelled or another call has arrived.
    private static let slice = Duration.milliseconds(50)
    private static let clock = ContinuousClock()

    /// Does not connect yet. Without an address it is that of DBUS_SYSTEM_BUS_ADDRESS, or the usual socket.
    public init(address: String? = nil) {
        thread = BlockingThread(name: "bus")
        let given = address ?? getenv("DBUS_SYSTEM_BUS_ADDRESS").map { String(cString: $0) } ?? ""
        self.address = given.isEmpty ? "unix:path=/run/dbus/system_bus_socket" : given
    }

    /// Ends the connection. The next call makes a new one.
    public func disconnect() {
        connection = nil
    }

    /// Calls a method and returns what it answered.
    public func call(
        _ destination: String,
        path: String,
        interface: String,
        member: String,
        arguments: [BusValue] = [],
        timeout: Duration
    ) async throws(BusError) -> [BusValue] {
        let deadline = Self.clock.now + timeout
        let request = try Message.call(
            destination,
            path: path,
            interface: interface,
            member: member,
            arguments: arguments
        )
        let connection = try connected(by: deadline)
        return try await exchange(request, over: connection, by: deadline, timeout)
    }

    /// Reads a property (org.freedesktop.DBus.Properties.Get), without the variant around it.
    public func property(
        _ name: String,
        of interface: String,
        at destination: String,
        path: String,
        timeout: Duration
    ) async throws(BusError) -> BusValue {
        let reply = try await call(
            destination,
            path: path,
            interface: "org.freedesktop.DBus.Properties",
            member: "Get",
            arguments: [.string(interface), .string(name)],
            timeout: timeout
        )
        guard case .variant(let value)? = reply.first else {
            throw BusError(name: BusError.invalidSignature, message: "the property \(name) is not a variant")
        }
        return value
    }

    /// Does something and waits for the signal that follows from it, which may come before `body` is through: such as
    /// RestartUnit of systemd and JobRemoved.
    ///
    /// `matching` picks the signal by what `body` returned. The time-out is for all of it.
    public func waitForSignal<Result: Sendable>(
        _ member: String,
        interface: String,
        path: String,
        from sender: String,
        timeout: Duration,
        after body: @Sendable () async throws(BusError) -> Result,
        matching: @Sendable (Result, BusSignal) -> Bool
    ) async throws(BusError) -> (Result, BusSignal) {
        let deadline = Self.clock.now + timeout
        for (text, isValid) in [
            (path, dbus_validate_path(path, nil)), (interface, dbus_validate_interface(interface, nil)),
            (member, dbus_validate_member(member, nil)), (sender, dbus_validate_bus_name(sender, nil)),
        ] where isValid == 0 {
            throw BusError(name: BusError.invalidArgs, message: "not a valid name: \(text)")
        }
        let connection = try connected(by: deadline)
        let rule = "type='signal',sender='\(sender)',path='\(path)',interface='\(interface)',member='\(member)'"
        // The match comes first, then the action: nothing is missed.
        lastWatch += 1
        let watch = lastWatch
        connection.watches[watch] = BusConnection.Watch(path: path, interface: interface, member: member)
        defer { connection.watches[watch] = nil }
        let addMatch = try Message.toBus("AddMatch", [.string(rule)])
        _ = try await exchange(addMatch, over: connection, by: deadline, timeout)
        do throws(BusError) {
            let result = try await body()
            let signal = try await firstSignal(of: watch, on: connection, by: deadline) { matching(result, $0) }
            await removeMatch(rule, from: connection)
            return (result, signal)
        } catch {
            await removeMatch(rule, from: connection)
            throw error
        }
    }

    private func firstSignal(
        of watch: Int,
        on connection: BusConnection,
        by deadline: ContinuousClock.Instant,
        where isWanted: (BusSignal) -> Bool
    ) async throws(BusError) -> BusSignal {
        while true {
            let received = connection.watches[watch]?.received ?? []
            connection.watches[watch]?.received = []
            if let signal = received.first(where: isWanted) { return signal }
            guard connection.isConnected else { throw Self.gone(mayHaveBeenDone: true) }
            try await wait(on: connection, by: deadline) {
                BusError(
                    name: BusError.noReply,
                    message: "the completion signal did not arrive in time",
                    mayHaveBeenDone: true
                )
            }
        }
    }

    /// Asks for no answer: whatever happened, there is nothing that could be done about it.
    private func removeMatch(_ rule: String, from connection: BusConnection) async {
        guard connection.isConnected, let message = try? Message.toBus("RemoveMatch", [.string(rule)]),
            let pending = try? connection.send(message)
        else { return }
        _ = consume pending
        connection.catchUp()
    }

    // MARK: - The connection

    /// The connection, reopened if there is none any more. Blocks the thread, until the deadline at most.
    private func connected(by deadline: ContinuousClock.Instant) throws(BusError) -> BusConnection {
        if let connection {
            connection.catchUp()
            if connection.isConnected { return connection }
            self.connection = nil
        }
        let fresh = try BusConnection(address: address)
        let hello = try Message.toBus("Hello", [])
        let pending = try fresh.send(hello)
        while !pending.isCompleted {
            guard fresh.isConnected else {
                throw BusError(name: BusError.disconnected, message: "the bus closed the connection immediately")
            }
            guard !Task.isCancelled else { throw Self.cancelled(mayHaveBeenDone: false) }
            let left = deadline - Self.clock.now
            guard left > .zero else {
                throw BusError(name: BusError.noReply, message: "the bus did not answer in time")
            }
            fresh.work(milliseconds: min(left, Self.slice).wholeMilliseconds)
        }
        let reply = try Self.values(from: pending.takeReply(), isWritten: false)
        guard let name = reply.first?.text else {
            throw BusError(name: BusError.invalidSignature, message: "the bus assigned no name")
        }
        fresh.setUniqueName(name)
        connection = fresh
        return fresh
    }

    /// Sends a request and waits for its answer.
    private func exchange(
        _ request: borrowing Message,
        over connection: BusConnection,
        by deadline: ContinuousClock.Instant,
        _ timeout: Duration
    ) async throws(BusError) -> [BusValue] {
        guard !Task.isCancelled else { throw Self.cancelled(mayHaveBeenDone: false) }
        let destination = request.destination
        let pending = try connection.send(request)
        var isWritten = connection.isConnected && connection.isFlushed
        while !pending.isCompleted {
            guard connection.isConnected else { throw Self.gone(mayHaveBeenDone: isWritten) }
            try await wait(on: connection, by: deadline) {
                BusError(
                    name: BusError.noReply,
                    message: "\(destination) did not answer within \(timeout.inWords)",
                    mayHaveBeenDone: isWritten
                )
            }
            // What was queued when the connection closed is gone from the queue, and was not written.
            isWritten = isWritten || (connection.isConnected && connection.isFlushed)
        }
        return try Self.values(from: pending.takeReply(), isWritten: isWritten)
    }

    /// Waits for traffic, a slice at most. Lets other calls onto the thread when nothing came.
    private func wait(
        on connection: BusConnection,
        by deadline: ContinuousClock.Instant,
        timedOut: () -> BusError
    ) async throws(BusError) {
        if Task.isCancelled {
            throw Self.cancelled(mayHaveBeenDone: timedOut().mayHaveBeenDone)
        }
        let left = deadline - Self.clock.now
        guard left > .zero else { throw timedOut() }
        let slice = min(left, Self.slice)
        let start = Self.clock.now
        connection.work(milliseconds: slice.wholeMilliseconds)
        if Self.clock.now - start >= slice { await Task.yield() }
    }

    /// The arguments of an answer, or the error that it is.
    private static func values(from reply: OpaquePointer?, isWritten: Bool) throws(BusError) -> [BusValue] {
        guard let reply else { throw gone(mayHaveBeenDone: isWritten) }
        defer { dbus_message_unref(reply) }
        guard dbus_message_get_type(reply) == DBUS_MESSAGE_TYPE_ERROR else {
            return try MessageReader.arguments(of: reply)
        }
        // libdbus itself answers all requests when the connection closes; the bus has not sent this answer.
        guard dbus_message_get_sender(reply) != nil else { throw gone(mayHaveBeenDone: isWritten) }
        let name = dbus_message_get_error_name(reply).map { String(cString: $0) } ?? ""
        let said = (try? MessageReader.arguments(of: reply))?.first?.text ?? ""
        // The bus says NoReply when the service left without an answer.
        throw BusError(
            name: name,
            message: said.isEmpty ? name : said,
            mayHaveBeenDone: [BusError.noReply, BusError.timeout, BusError.timedOut].contains(name)
        )
    }

    private static func gone(mayHaveBeenDone: Bool) -> BusError {
        BusError(
            name: BusError.disconnected,
            message: "the connection to the bus was closed",
            mayHaveBeenDone: mayHaveBeenDone
        )
    }

    private static func cancelled(mayHaveBeenDone: Bool) -> BusError {
        BusError(name: BusError.cancelled, message: "cancelled", mayHaveBeenDone: mayHaveBeenDone)
    }
}

extension Duration {
    /// Rounded up, so that a wait is not cut into empty ones.
    fileprivate var wholeMilliseconds: Int32 {
        let (seconds, attoseconds) = components
        let fraction = 1_000_000_000_000_000
        return Int32(clamping: seconds * 1000 + (attoseconds + Int64(fraction) - 1) / Int64(fraction))
    }

    fileprivate var inWords: String {
        self >= .seconds(1) ? "\(components.seconds) s" : "\(wholeMilliseconds) ms"
    }
}
