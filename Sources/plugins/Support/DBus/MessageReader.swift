import CDBus

/// Reads the values of a message that libdbus has validated.
struct MessageReader {
    private var iterator = DBusMessageIter()

    static func arguments(of message: OpaquePointer) throws(BusError) -> [BusValue] {
        var reader = MessageReader()
        guard dbus_message_iter_init(message, &reader.iterator) != 0 else { return [] }
        return try reader.remaining()
    }

    private mutating func remaining() throws(BusError) -> [BusValue] {
        var values: [BusValue] = []
        while dbus_message_iter_get_arg_type(&iterator) != 0 {
            values.append(try value())
            dbus_message_iter_next(&iterator)
        }
        return values
    }

    private mutating func value() throws(BusError) -> BusValue {
        let type = dbus_message_iter_get_arg_type(&iterator)
        switch UInt8(truncatingIfNeeded: type) {
        case UInt8(ascii: "y"): return .byte(basic(0))
        case UInt8(ascii: "b"): return .bool(basic(dbus_bool_t(0)) != 0)
        case UInt8(ascii: "n"): return .int16(basic(0))
        case UInt8(ascii: "q"): return .uint16(basic(0))
        case UInt8(ascii: "i"): return .int32(basic(0))
        case UInt8(ascii: "u"): return .uint32(basic(0))
        case UInt8(ascii: "x"): return .int64(basic(0))
        case UInt8(ascii: "t"): return .uint64(basic(0))
        case UInt8(ascii: "d"): return .double(basic(0))
        case UInt8(ascii: "s"): return .string(text())
        case UInt8(ascii: "o"): return .objectPath(text())
        case UInt8(ascii: "g"): return .signature(text())
        case UInt8(ascii: "a"):
            var inner = inside()
            let signature = inner.signature()
            return .array(of: signature, try inner.remaining())
        case UInt8(ascii: "r"):
            var inner = inside()
            return .structure(try inner.remaining())
        case UInt8(ascii: "e"):
            var inner = inside()
            let pair = try inner.remaining()
            guard pair.count == 2 else { throw Self.unsupported(type) }
            return .entry(pair[0], pair[1])
        case UInt8(ascii: "v"):
            var inner = inside()
            return .variant(try inner.value())
        default:
            throw Self.unsupported(type)
        }
    }

    private mutating func basic<Value: BitwiseCopyable>(_ blank: Value) -> Value {
        var value = blank
        dbus_message_iter_get_basic(&iterator, &value)
        return value
    }

    private mutating func text() -> String {
        var pointer: UnsafePointer<CChar>?
        dbus_message_iter_get_basic(&iterator, &pointer)
        return pointer.map { String(cString: $0) } ?? ""
    }

    private mutating func inside() -> MessageReader {
        var inner = MessageReader()
        dbus_message_iter_recurse(&iterator, &inner.iterator)
        return inner
    }

    /// Of the element that the iterator stands on; libdbus knows it for an empty array, too.
    private mutating func signature() -> String {
        guard let text = dbus_message_iter_get_signature(&iterator) else { return "" }
        defer { dbus_free(text) }
        return String(cString: text)
    }

    private static func unsupported(_ type: Int32) -> BusError {
        let letter = Character(Unicode.Scalar(UInt8(truncatingIfNeeded: type)))
        return BusError(name: BusError.invalidSignature, message: "a value of type \(letter) cannot be read here")
    }
}
