import CDBus
import Glibc
import Synchronization

/// A service on a bus of the tests, on a thread of its own in this process, written against libdbus alone.
///
/// Methods of `test.Service`: Echo returns its arguments; Fail answers the error that is named by the first argument with
/// the second as its text; Hush never answers; Signal emits `Done` with the argument before it answers; Late answers
/// first, and emits afterwards; Leave closes the connection.
///
/// `@unchecked Sendable`: what changes belongs to the thread.
final class Service: @unchecked Sendable {
    private let raw: OpaquePointer
    private var thread = pthread_t()
    private let isEnding = Atomic(false)
    private let silentRequests = Atomic(0)

    init(address: String, name: String = "test.Service") throws {
        guard let raw = dbus_connection_open_private(address, nil), dbus_bus_register(raw, nil) != 0,
            dbus_bus_request_name(raw, name, 0, nil) > 0
        else { throw SystemError(ECONNREFUSED) }
        self.raw = raw
        dbus_connection_set_exit_on_disconnect(raw, 0)
        pthread_create(
            &thread,
            nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Service>.fromOpaque(context).takeUnretainedValue().serve()
                return nil
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
    }

    deinit {
        isEnding.store(true, ordering: .releasing)
        pthread_join(thread, nil)
        dbus_connection_close(raw)
        dbus_connection_unref(raw)
    }

    private func serve() {
        while !isEnding.load(ordering: .acquiring), dbus_connection_read_write(raw, 20) != 0 {
            while let message = dbus_connection_pop_message(raw) {
                if dbus_message_get_type(message) == DBUS_MESSAGE_TYPE_METHOD_CALL { answer(message) }
                dbus_message_unref(message)
            }
        }
    }

    private func answer(_ message: OpaquePointer) {
        switch dbus_message_get_member(message).map({ String(cString: $0) }) {
        case "Echo":
            // The bytes of the body as they came, under the header of an answer.
            let reply = dbus_message_new_method_return(message)
            copyArguments(from: message, to: reply)
            send(reply)
        case "Fail":
            let texts = strings(message)
            send(dbus_message_new_error(message, texts[0], texts[1]))
        case "Signal":
            emit(message)
            send(dbus_message_new_method_return(message))
        case "Late":
            send(dbus_message_new_method_return(message))
            usleep(100_000)
            emit(message)
        case "Leave":
            dbus_connection_close(raw)
        default: silentRequests.add(1, ordering: .releasing)
        }
    }

    /// Returns when it has a request that it will not answer.
    func waitForSilence() async throws {
        while silentRequests.load(ordering: .acquiring) == 0 { try await Task.sleep(for: .milliseconds(1)) }
    }

    private func emit(_ request: OpaquePointer) {
        let signal = dbus_message_new_signal("/test", "test.Service", "Done")
        copyArguments(from: request, to: signal)
        send(signal)
    }

    private func send(_ message: OpaquePointer?) {
        dbus_connection_send(raw, message, nil)
        dbus_connection_flush(raw)
        dbus_message_unref(message)
    }

    private func strings(_ message: OpaquePointer) -> [String] {
        var iterator = DBusMessageIter()
        dbus_message_iter_init(message, &iterator)
        var texts: [String] = []
        repeat {
            var pointer: UnsafePointer<CChar>?
            dbus_message_iter_get_basic(&iterator, &pointer)
            texts.append(pointer.map { String(cString: $0) } ?? "")
        } while dbus_message_iter_next(&iterator) != 0
        return texts
    }

    private func copyArguments(from source: OpaquePointer, to target: OpaquePointer?) {
        var input = DBusMessageIter()
        var output = DBusMessageIter()
        guard dbus_message_iter_init(source, &input) != 0 else { return }
        dbus_message_iter_init_append(target, &output)
        copy(&input, to: &output)
    }

    private func copy(_ input: inout DBusMessageIter, to output: inout DBusMessageIter) {
        while true {
            let type = dbus_message_iter_get_arg_type(&input)
            guard type != 0 else { return }
            if dbus_type_is_basic(type) != 0 {
                var value: UInt64 = 0
                dbus_message_iter_get_basic(&input, &value)
                dbus_message_iter_append_basic(&output, type, &value)
            } else {
                var from = DBusMessageIter()
                var into = DBusMessageIter()
                dbus_message_iter_recurse(&input, &from)
                let isNamed = type == Int32(UInt8(ascii: "a")) || type == Int32(UInt8(ascii: "v"))
                let signature = isNamed ? dbus_message_iter_get_signature(&from) : nil
                dbus_message_iter_open_container(&output, type, signature, &into)
                copy(&from, to: &into)
                dbus_message_iter_close_container(&output, &into)
                dbus_free(signature)
            }
            dbus_message_iter_next(&input)
        }
    }
}
