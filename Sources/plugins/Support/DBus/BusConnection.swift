import CDBus

/// A private connection of libdbus, registered with the bus. Used on one thread only, and closed with the last
/// reference.
final class BusConnection {
    /// A request that is under way.
    struct Pending: ~Copyable {
        fileprivate let raw: OpaquePointer

        var isCompleted: Bool { dbus_pending_call_get_completed(raw) != 0 }

        /// The answer, once; nil before it has arrived.
        func takeReply() -> OpaquePointer? { dbus_pending_call_steal_reply(raw) }

        deinit {
            // Forgets an answer that comes later.
            dbus_pending_call_cancel(raw)
            dbus_pending_call_unref(raw)
        }
    }

    /// A signal that a caller waits for.
    struct Watch {
        var path: String
        var interface: String
        var member: String
        var received: [BusSignal] = []
    }

    private let raw: OpaquePointer
    var watches: [Int: Watch] = [:]
    /// Signals of one watch that no caller has looked at yet; systemd removes some hundreds of jobs at a boot.
    private static let signalLimit = 4096

    /// Connects without registering. Throws what libdbus says: NoServer, FileNotFound, AccessDenied, BadAddress, …
    init(address: String) throws(BusError) {
        // What the bus closes is seen as an end of the connection; libdbus writes with MSG_NOSIGNAL.
        dbus_connection_set_change_sigpipe(0)
        var error = DBusError()
        dbus_error_init(&error)
        guard let raw = dbus_connection_open_private(address, &error) else {
            defer { dbus_error_free(&error) }
            throw BusError(
                name: error.name.map { String(cString: $0) } ?? BusError.noServer,
                message: error.message.map { String(cString: $0) } ?? "the bus cannot be reached"
            )
        }
        self.raw = raw
        dbus_connection_set_exit_on_disconnect(raw, 0)
        let filter: DBusHandleMessageFunction = { _, message, context in
            if let message, let context {
                Unmanaged<BusConnection>.fromOpaque(context).takeUnretainedValue().receive(message)
            }
            return DBUS_HANDLER_RESULT_NOT_YET_HANDLED
        }
        guard dbus_connection_add_filter(raw, filter, Unmanaged.passUnretained(self).toOpaque(), nil) != 0 else {
            throw MessageWriter.noMemory
        }
    }

    deinit {
        dbus_connection_close(raw)
        dbus_connection_unref(raw)
    }

    var isConnected: Bool { dbus_connection_get_is_connected(raw) != 0 }

    /// Whether the kernel has taken everything that was to be sent.
    var isFlushed: Bool { dbus_connection_has_messages_to_send(raw) == 0 }

    /// Our name on the bus, which registers it.
    func setUniqueName(_ name: String) {
        dbus_bus_set_unique_name(raw, name)
    }

    /// Queues a request. Requests do not time out in libdbus here: its timers are not run.
    func send(_ message: borrowing Message) throws(BusError) -> Pending {
        var pending: OpaquePointer?
        guard dbus_connection_send_with_reply(raw, message.raw, &pending, .max) != 0 else {
            throw MessageWriter.noMemory
        }
        guard let pending else {
            throw BusError(name: BusError.disconnected, message: "the connection to the bus is closed")
        }
        return Pending(raw: pending)
    }

    /// Moves bytes and hands messages over; returns as soon as it did one of them, or after so many milliseconds.
    func work(milliseconds: Int32) {
        dbus_connection_read_write_dispatch(raw, milliseconds)
    }

    /// Handles everything that has arrived, without waiting; afterwards `isConnected` is false if the bus has gone.
    func catchUp() {
        repeat {
            dbus_connection_read_write_dispatch(raw, 0)
        } while isConnected && dbus_connection_get_dispatch_status(raw) == DBUS_DISPATCH_DATA_REMAINS
    }

    private func receive(_ message: OpaquePointer) {
        guard !watches.isEmpty, dbus_message_get_type(message) == DBUS_MESSAGE_TYPE_SIGNAL,
            let path = dbus_message_get_path(message), let interface = dbus_message_get_interface(message),
            let member = dbus_message_get_member(message)
        else { return }
        let text = (String(cString: path), String(cString: interface), String(cString: member))
        let interested = watches.filter { ($0.value.path, $0.value.interface, $0.value.member) == text }
        guard !interested.isEmpty, let arguments = try? MessageReader.arguments(of: message) else { return }
        let signal = BusSignal(
            sender: dbus_message_get_sender(message).map { String(cString: $0) } ?? "",
            path: text.0,
            interface: text.1,
            member: text.2,
            arguments: arguments
        )
        for (key, watch) in interested where watch.received.count < Self.signalLimit {
            watches[key]?.received.append(signal)
        }
    }
}
