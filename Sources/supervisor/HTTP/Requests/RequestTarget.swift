import LinuxSupport

/// The target of a request line (RFC 9112, section 3.2), taken apart.
struct RequestTarget {
    /// Lower case, decoded, without doubled slashes and without one at the end. What is not well encoded, and "*",
    /// match no route.
    let path: String
    /// What follows the first "?", still encoded.
    let query: Substring

    /// Takes the origin form ("/ping?x"), the absolute form ("http://host/ping?x") and "*".
    init(_ target: String) {
        let bytes = target.utf8
        var start = bytes.startIndex
        if bytes.first != slash, let authority = Self.authority(of: bytes) {
            start = bytes[authority...].firstIndex { $0 == slash || $0 == question } ?? bytes.endIndex
        }
        let end = bytes[start...].firstIndex(of: question) ?? bytes.endIndex
        path = Self.normalised(target[start..<end])
        query = end == bytes.endIndex ? "" : target[bytes.index(after: end)...]
    }

    /// Where the authority of an absolute target begins.
    private static func authority(of bytes: String.UTF8View) -> String.Index? {
        for scheme in ["http://", "https://"] {
            let prefix = bytes.prefix(scheme.utf8.count)
            if prefix.elementsEqual(scheme.utf8, by: { $0.lowercasedASCII == $1 }) { return prefix.endIndex }
        }
        return nil
    }

    private static func normalised(_ path: Substring) -> String {
        isNormal(path.utf8) ? String(path) : rewritten(path.utf8)
    }

    /// True for nearly every request, which then needs no second copy.
    private static func isNormal(_ path: Substring.UTF8View) -> Bool {
        var former: UInt8 = 0
        for byte in path {
            if byte == percent || byte.lowercasedASCII != byte || (byte == slash && former == slash) { return false }
            former = byte
        }
        return former != slash
    }

    private static func rewritten(_ path: Substring.UTF8View) -> String {
        var bytes: [UInt8] = [slash]
        // Split first and decode then: an encoded slash is part of a name, and no name of ours has one.
        for segment in path.split(separator: slash) {
            guard let name = PercentEncoding.decode(segment, plusIsSpace: false), !name.utf8.contains(slash) else {
                return ""
            }
            if bytes.count > 1 { bytes.append(slash) }
            bytes.append(contentsOf: name.utf8.map(\.lowercasedASCII))
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

private let slash = UInt8(ascii: "/")
private let question = UInt8(ascii: "?")
private let percent = UInt8(ascii: "%")
