import CDBus

/// A method call that is to be sent.
struct Message: ~Copyable {
    let raw: OpaquePointer
    let destination: String

    static func call(
        _ destination: String,
        path: String,
        interface: String,
        member: String,
        arguments: [BusValue]
    ) throws(BusError) -> Message {
        let message = try Message(destination, path, interface, member)
        try message.append(arguments)
        return message
    }

    private init(
        _ destination: String,
        _ path: String,
        _ interface: String,
        _ member: String
    ) throws(BusError) {
        // libdbus ends the process if a name is invalid.
        for (text, isValid) in [
            (destination, dbus_validate_bus_name(destination, nil)), (path, dbus_validate_path(path, nil)),
            (interface, dbus_validate_interface(interface, nil)), (member, dbus_validate_member(member, nil)),
        ] where isValid == 0 {
            throw BusError(name: BusError.invalidArgs, message: "not a valid name: \(text)")
        }
        guard let raw = dbus_message_new_method_call(destination, path, interface, member) else {
            throw MessageWriter.noMemory
        }
        self.raw = raw
        self.destination = destination
    }

    private func append(_ arguments: [BusValue]) throws(BusError) {
        var writer = MessageWriter(raw)
        for argument in arguments { try writer.append(argument) }
    }

    /// To the bus itself.
    static func toBus(_ member: String, _ arguments: [BusValue]) throws(BusError) -> Message {
        try call(
            "org.freedesktop.DBus",
            path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus",
            member: member,
            arguments: arguments
        )
    }

    deinit { dbus_message_unref(raw) }
}
