package import Glibc

/// The address of a unix socket (unix(7)).
package struct UnixSocketAddress: Sendable, Hashable {
    /// What `sockaddr_un` has in front of the path, and the room for the path with the NUL that ends it.
    private static let (pathOffset, pathRoom) = (MemoryLayout<sa_family_t>.size, 108)

    /// As much of a `sockaddr_un` as is in use.
    private let bytes: [UInt8]

    /// In the file system. nil for a path that is too long, or that has a NUL in it.
    package init?(path: String) {
        guard path.utf8.count < Self.pathRoom, !path.utf8.contains(0) else { return nil }
        bytes = Self.family + path.utf8 + [0]
    }

    /// In the abstract name space. nil for a name that is too long.
    package init?(abstractName name: some Collection<UInt8>) {
        guard name.count < Self.pathRoom else { return nil }
        bytes = Self.family + [0] + name
    }

    private static var family: [UInt8] { withUnsafeBytes(of: sa_family_t(AF_UNIX)) { Array($0) } }

    package func withAddress<Result>(_ body: (UnsafePointer<sockaddr>?, socklen_t) -> Result) -> Result {
        bytes.withUnsafeBytes { body($0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count)) }
    }

    /// bind(2). 0, or -1 with errno.
    package func bind(_ descriptor: Int32) -> Int32 { withAddress { Glibc.bind(descriptor, $0, $1) } }

    /// connect(2). 0, or -1 with errno.
    package func connect(_ descriptor: Int32) -> Int32 { withAddress { Glibc.connect(descriptor, $0, $1) } }
}
