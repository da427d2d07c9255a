import CDBus

/// Appends values to a message. libdbus ends the process if a value is invalid, so all values are checked before.
struct MessageWriter {
    private var iterator = DBusMessageIter()

    init(_ message: OpaquePointer) {
        dbus_message_iter_init_append(message, &iterator)
    }

    mutating func append(_ value: BusValue) throws(BusError) {
        switch value {
        case .byte(let number): try append("y", number)
        case .bool(let bool): try append("b", dbus_bool_t(bool ? 1 : 0))
        case .int16(let number): try append("n", number)
        case .uint16(let number): try append("q", number)
        case .int32(let number): try append("i", number)
        case .uint32(let number): try append("u", number)
        case .int64(let number): try append("x", number)
        case .uint64(let number): try append("t", number)
        case .double(let number): try append("d", number)
        case .string(let text): try append("s", text: text)
        case .objectPath(let path):
            guard dbus_validate_path(path, nil) != 0 else { throw Self.invalid("object path", path) }
            try append("o", text: path)
        case .signature(let signature):
            guard dbus_signature_validate(signature, nil) != 0 else { throw Self.invalid("signature", signature) }
            try append("g", text: signature)
        case .array(of: let signature, let elements):
            guard dbus_signature_validate_single("a\(signature)", nil) != 0 else {
                throw Self.invalid("type of elements", signature)
            }
            guard elements.allSatisfy({ $0.signature == signature }) else {
                throw Self.invalid("array", "not all elements are of type \(signature)")
            }
            try append(elements, into: "a", signature)
        case .structure(let fields):
            guard !fields.isEmpty else { throw Self.invalid("structure", "it is empty") }
            try append(fields, into: "r", nil)
        case .entry(let key, let value):
            try append([key, value], into: "e", nil)
        case .variant(let value):
            guard dbus_signature_validate_single(value.signature, nil) != 0 else {
                throw Self.invalid("variant", value.signature)
            }
            try append([value], into: "v", value.signature)
        }
    }

    private mutating func append<Value>(_ type: Unicode.Scalar, _ value: Value) throws(BusError) {
        guard withUnsafePointer(to: value, { dbus_message_iter_append_basic(&iterator, Int32(type.value), $0) }) != 0
        else { throw Self.noMemory }
    }

    private mutating func append(_ type: Unicode.Scalar, text: String) throws(BusError) {
        guard !text.utf8.contains(0) else { throw Self.invalid("string", "it contains a NUL byte") }
        let isAppended = text.withCString { pointer in
            withUnsafePointer(to: pointer) { dbus_message_iter_append_basic(&iterator, Int32(type.value), $0) }
        }
        guard isAppended != 0 else { throw Self.noMemory }
    }

    private mutating func append(
        _ values: [BusValue],
        into container: Unicode.Scalar,
        _ signature: String?
    ) throws(BusError) {
        var inner = self
        guard
            dbus_message_iter_open_container(
                &iterator,
                Int32(container.value),
                signature,
                &inner.iterator
            ) != 0
        else { throw Self.noMemory }
        do throws(BusError) {
            for value in values { try inner.append(value) }
        } catch {
            dbus_message_iter_abandon_container(&iterator, &inner.iterator)
            throw error
        }
        guard dbus_message_iter_close_container(&iterator, &inner.iterator) != 0 else { throw Self.noMemory }
    }

    private static func invalid(_ what: String, _ value: String) -> BusError {
        BusError(name: BusError.invalidArgs, message: "not a valid \(what): \(value)")
    }

    static let noMemory = BusError(name: BusError.noMemory, message: "out of memory")
}
