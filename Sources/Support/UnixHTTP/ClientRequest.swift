internal import NIOHTTP1

/// A request that can be written as HTTP/1.1.
struct ClientRequest: Sendable {
    let head: HTTPRequestHead
    let body: [UInt8]

    /// Throws `invalidRequest` where target or headers would break the framing (RFC 9112, sections 3 and 5).
    init(
        _ method: HTTPMethod,
        _ target: String,
        _ headers: HTTPHeaders,
        _ body: [UInt8],
        host: String = "localhost",
        path: String
    ) throws(UnixHTTPError) {
        guard target.utf8.first == UInt8(ascii: "/"), target.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw UnixHTTPError(.invalidRequest("the target is not a path in visible ASCII"), path: path)
        }
        guard headers.allSatisfy({ Self.isToken($0.name) && Self.isFieldValue($0.value) }), Self.isFieldValue(host)
        else {
            throw UnixHTTPError(.invalidRequest("a header has characters that no header may have"), path: path)
        }
        var headers = headers
        headers.replaceOrAdd(name: "Host", value: host)
        headers.replaceOrAdd(name: "Connection", value: "close")
        if !body.isEmpty || method == .POST || method == .PUT || method == .PATCH {
            headers.replaceOrAdd(name: "Content-Length", value: String(body.count))
        }
        head = HTTPRequestHead(version: .http1_1, method: method, uri: target, headers: headers)
        self.body = body
    }

    /// RFC 9110, section 5.6.2.
    private static func isToken(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }

    /// RFC 9110, section 5.5: no control characters but the tab.
    private static func isFieldValue(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 == 0x09 || ($0 >= 0x20 && $0 != 0x7F) }
    }
}
