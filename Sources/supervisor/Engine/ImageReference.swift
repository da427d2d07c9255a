internal import LinuxSupport
internal import SupervisorCore

/// What names an image: `[host[:port]/]path[:tag][@digest]`, or an image id, as the reference grammar of the
/// distribution project has it (github.com/distribution/reference).
struct ImageReference: Sendable, Hashable, CustomStringConvertible {
    /// With the registry, without tag and digest, as it was written.
    let name: String
    let tag: String?
    /// "sha256:…"
    let digest: String?

    init(_ text: String) throws(EngineError) {
        guard let parsed = Self(parsing: text) else {
            throw EngineError(.invalid, "\(text.debugDescription) is not an image reference")
        }
        self = parsed
    }

    /// nil where the text does not follow the grammar.
    init?(parsing text: String) {
        // 255 for the name, 128 for the tag, and a digest; nothing valid is longer.
        guard text.utf8.count <= 512 else { return nil }
        var rest = text[...]
        if let at = rest.utf8.firstIndex(of: UInt8(ascii: "@")) {
            let digest = rest[rest.utf8.index(after: at)...]
            guard Self.isDigest(digest) else { return nil }
            self.digest = String(digest)
            rest = rest[..<at]
        } else {
            digest = nil
        }
        // A colon before the last slash is a registry's port.
        let last = rest.utf8.lastIndex(of: UInt8(ascii: "/")).map(rest.utf8.index(after:)) ?? rest.startIndex
        if let colon = rest[last...].utf8.firstIndex(of: UInt8(ascii: ":")) {
            let tag = rest[rest.utf8.index(after: colon)...]
            guard Self.isTag(tag) else { return nil }
            self.tag = String(tag)
            rest = rest[..<colon]
        } else {
            tag = nil
        }
        guard Self.isName(rest) else { return nil }
        name = String(rest)
    }

    /// As it was written.
    var description: String {
        name + (tag.map { ":" + $0 } ?? "") + (digest.map { "@" + $0 } ?? "")
    }

    /// Whether this is an image's id, which can be inspected and removed, but not downloaded.
    var isID: Bool { name == "sha256" && digest == nil }

    /// What to download: the digest if there is one, then the tag counts for nothing; never "all tags".
    var version: String { digest ?? tag ?? "latest" }

    /// For a request's path.
    var segments: [Substring] { description.parts(separatedBy: UInt8(ascii: "/")) }

    // MARK: Grammar

    /// The first of several components is the registry if it could not be part of a path, as the engine decides it.
    private static func isName(_ name: Substring) -> Bool {
        guard name.utf8.count <= 255 else { return false }
        var components = name.parts(separatedBy: UInt8(ascii: "/"))
        if let first = components.first, components.count > 1, RegistryHost.isHost(first) {
            guard isRegistry(first) else { return false }
            components.removeFirst()
        }
        return components.allSatisfy(isPathComponent)
    }

    private static func isRegistry(_ text: Substring) -> Bool {
        let host: Substring
        if text.begins(with: "[") {
            guard let end = text.utf8.lastIndex(of: UInt8(ascii: "]")) else { return false }
            let address = text[text.utf8.index(after: text.startIndex)..<end]
            guard !address.isEmpty, address.utf8.allSatisfy({ EngineName.isAlphanumeric($0) || $0 == 0x3A }) else {
                return false
            }
            host = text[text.utf8.index(after: end)...]
            return host.isEmpty || isPort(host)
        }
        host = Substring(text.utf8.prefix { $0 != UInt8(ascii: ":") })
        let port = text[host.endIndex...]
        return !host.isEmpty && host.utf8.allSatisfy { EngineName.isAlphanumeric($0) || $0 == 0x2E || $0 == 0x2D }
            && (port.isEmpty || isPort(port))
    }

    private static func isPort(_ text: Substring) -> Bool {
        text.begins(with: ":") && (2...6).contains(text.utf8.count)
            && text.utf8.dropFirst().allSatisfy(\.isASCIIDigit)
    }

    /// Lower-case letters and digits, with single separators between them: ".", "_", "__" or any number of "-".
    private static func isPathComponent(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, let last = text.utf8.last, isLowerOrDigit(first), isLowerOrDigit(last) else {
            return false
        }
        var separator: [UInt8] = []
        for byte in text.utf8 {
            if isLowerOrDigit(byte) {
                separator = []
                continue
            }
            separator.append(byte)
            let isSeparator =
                separator == [0x2E] || separator == [0x5F] || separator == [0x5F, 0x5F]
                || separator.allSatisfy { $0 == 0x2D }
            if !isSeparator { return false }
        }
        return true
    }

    private static func isTag(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, EngineName.isAlphanumeric(first) || first == 0x5F else { return false }
        return text.utf8.count <= 128
            && text.utf8.allSatisfy { EngineName.isAlphanumeric($0) || $0 == 0x5F || $0 == 0x2E || $0 == 0x2D }
    }

    private static func isDigest(_ text: Substring) -> Bool {
        let parts = text.parts(separatedBy: UInt8(ascii: ":"))
        guard parts.count == 2, parts[1].utf8.allSatisfy(EngineName.isHex) else { return false }
        let length = parts[1].utf8.count
        return parts[0].isExactly("sha256") && length == 64 || parts[0].isExactly("sha512") && length == 128
    }

    private static func isLowerOrDigit(_ byte: UInt8) -> Bool {
        EngineName.isAlphanumeric(byte) && !isUpper(byte)
    }

    private static func isUpper(_ byte: UInt8) -> Bool { (0x41...0x5A).contains(byte) }
}
