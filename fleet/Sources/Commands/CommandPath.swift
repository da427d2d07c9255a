/// The path of a command on the device's API: what follows `/supervisor` in the request.
enum CommandPath {
    static let limit = 1024

    /// Whether a text may be sent: `/`, then printable ASCII without `?` and `#`, 1,024 bytes at most.
    static func isValid(_ path: String) -> Bool {
        let bytes = path.utf8
        return bytes.first == UInt8(ascii: "/") && bytes.count <= limit
            && bytes.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
    }

    /// What a token needs for a command.
    ///
    /// The path is looked at as the most generous reader would read it: escapes decoded, `.`, `..` and empty parts
    /// resolved, small letters. What is not known needs `operate`.
    static func scope(method: String, path: String) -> Scope {
        let parts = normalized(path)
        if parts.starts(with: ["v2", "local"]) { return .deploy }
        guard method == "GET" else { return .operate }
        switch parts {
        case ["ping"], ["v1", "healthy"], ["v1", "device"], ["v2", "version"], ["v2", "state", "status"],
            ["v2", "applications", "state"]:
            return .read
        default:
            let isStateOfOne =
                parts.count == 4 && parts[0] == "v2" && parts[1] == "applications" && parts[3] == "state"
                && parts[2].utf8.allSatisfy { (0x30...0x39).contains($0) }
            return isStateOfOne ? .read : .operate
        }
    }

    /// Whether the answer to a command holds a secret and is neither kept nor shown anywhere.
    static func isSecret(_ path: String) -> Bool {
        let parts = normalized(path)
        return parts == ["v1", "regenerate-api-key"] || parts == ["v1", "device", "host-config"]
    }

    private static func normalized(_ path: String) -> [String] {
        var parts: [String] = []
        for part in decoded(Array(path.utf8)).split(separator: UInt8(ascii: "/")) {
            let text = String(decoding: part, as: UTF8.self).lowercased()
            switch text {
            case ".": continue
            case "..": _ = parts.popLast()
            default: parts.append(text)
            }
        }
        return parts
    }

    private static func decoded(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
                let value = UInt8(String(decoding: bytes[index + 1...index + 2], as: UTF8.self), radix: 16)
            {
                result.append(value)
                index += 3
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return result
    }
}
