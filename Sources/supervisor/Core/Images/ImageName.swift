import LinuxSupport

extension EngineImage {
    /// Whether the image came from the registry that its name says, by a tag that may stand for another content there by
    /// now. One that was loaded, imported or built here did not: no registry is asked for it.
    func mayHaveChanged(at reference: String) -> Bool {
        let bytes = Array(reference.utf8)
        guard !bytes.contains(UInt8(ascii: "@")), !bytes.starts(with: Array("sha256:".utf8)) else { return false }
        var name = bytes[...]
        if let colon = bytes.lastIndex(of: UInt8(ascii: ":")), !bytes[colon...].contains(UInt8(ascii: "/")) {
            name = bytes[..<colon]
        }
        let familiar = Self.familiar(name)
        return digests.contains { digest in
            let repository = Array(digest.utf8).prefix { $0 != UInt8(ascii: "@") }
            return Self.familiar(repository).elementsEqual(familiar)
        }
    }

    /// As docker shows it: without what stands for its own hub.
    private static func familiar(_ name: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var name = name
        for prefix in ["docker.io/", "index.docker.io/", "library/"] where name.starts(with: prefix.utf8) {
            name = name.dropFirst(prefix.utf8.count)
        }
        return name
    }
}
