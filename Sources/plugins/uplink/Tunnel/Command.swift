import JSON
import LinuxSupport
import NIOHTTP1

/// A command of the remote service, as it stands in a message of the bus.
struct Command: Sendable {
    /// A digest: the same command has the same one when it is sent again.
    var id: String
    var method: HTTPMethod
    /// A path, and nothing else.
    var url: String
    /// JSON text; empty where there is none.
    var body: [UInt8]
    /// The service's time in milliseconds since 1970 after which the command must not begin.
    var notAfter: Int64
    /// For whom it is; goes into the journal.
    var actor: String

    /// Bytes of the encoded command; the service refuses more.
    static let sizeLimit = 256 << 10

    private static let methods: [String: HTTPMethod] = [
        "GET": .GET, "HEAD": .HEAD, "POST": .POST, "PUT": .PUT, "PATCH": .PATCH, "DELETE": .DELETE,
    ]

    /// Whether doing it twice could hurt.
    var changesSomething: Bool { method != .GET && method != .HEAD }

    /// Throws the answer to what is no command.
    init(parsing bytes: some Sequence<UInt8>) throws(CommandRefusal) {
        let json: JSONValue
        do throws(JSONParseError) {
            json = try JSONValue(parsing: bytes, limits: .init(size: Self.sizeLimit))
        } catch {
            throw CommandRefusal(nil, 400, "the command is not JSON")
        }
        guard let id = json["id"]?.plainValue, Self.isID(id) else {
            throw CommandRefusal(nil, 400, "the command has no id")
        }
        self.id = id
        guard let method = json["method"]?.plainValue.flatMap({ Self.methods[$0] }) else {
            throw CommandRefusal(id, 400, "the method is none of GET, HEAD, POST, PUT, PATCH, DELETE")
        }
        self.method = method
        guard let url = json["url"]?.stringValue, Self.isPath(url) else {
            throw CommandRefusal(id, 400, "the url is not a path of 1 to 1024 visible characters without ? and #")
        }
        self.url = url
        switch json["body"] {
        case nil, .null?: body = []
        case .string(let text)?: body = Array(text.utf8)
        case _?: throw CommandRefusal(id, 400, "the body is not a text")
        }
        guard let notAfter = ServiceClock.moment(json["notAfter"]) else {
            throw CommandRefusal(id, 400, "notAfter is not a time")
        }
        self.notAfter = notAfter
        let actor = json["actor"]?.stringValue ?? ""
        self.actor = String(
            decoding: actor.utf8.prefix(128).filter { (0x20...0x7E).contains($0) },
            as: UTF8.self
        )
    }

    static func isID(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count)
            && text.utf8.allSatisfy { $0.isASCIILetter || $0.isASCIIDigit || $0 == UInt8(ascii: "-") }
    }

    /// What follows a "?" might hold a key, and a request line must not be made of anything but a path.
    static func isPath(_ text: String) -> Bool {
        (1...1024).contains(text.utf8.count) && text.utf8.first == UInt8(ascii: "/")
            && text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
    }

    /// Whether its answer, or its body, holds a secret and is kept nowhere.
    var isSecret: Bool {
        // As the API reads it: in any case, encoded or not.
        let path = PercentEncoding.decode(url.utf8[...], plusIsSpace: false) ?? url
        let bytes = path.utf8.map(\.lowercasedASCII)
        return [Array("regenerate-api-key".utf8), Array("host-config".utf8)].contains { word in
            bytes.count >= word.count
                && (0...(bytes.count - word.count)).contains { bytes[$0..<($0 + word.count)].elementsEqual(word) }
        }
    }
}
