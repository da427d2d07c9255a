/// Connects a response to its request (JSON-RPC 2.0, section 4). The core counts; a plugin returns the id it received.
public enum RequestID: Sendable, Hashable, CustomStringConvertible {
    case number(Int64)
    case text(String)

    /// Bytes of a text.
    static let limit = 128

    /// nil for a value that cannot be an id.
    public init?(_ json: JSONValue) {
        switch json {
        case .integer(let number): self = .number(number)
        case .string(let text) where text.utf8.count <= Self.limit: self = .text(text)
        default: return nil
        }
    }

    public var json: JSONValue {
        switch self {
        case .number(let number): .integer(number)
        case .text(let text): .string(text)
        }
    }

    public var description: String {
        switch self {
        case .number(let number): "\(number)"
        case .text(let text): text
        }
    }
}
