import SupervisorPorts

/// Why the core did not do what it was asked.
public struct SupervisorError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of failure; transports map it to their own codes.
    public struct Code: Sendable, Hashable {
        let rawValue: String

        /// The request itself is wrong (400).
        public static let invalidArgument = Code(rawValue: "invalid-argument")
        /// There is no such application (404).
        public static let notFound = Code(rawValue: "not-found")
        /// An update lock is held, or another operation holds the application (423).
        public static let locked = Code(rawValue: "locked")
        /// Not now; ask again after `retryAfter` (503 with Retry-After).
        public static let busy = Code(rawValue: "busy")
        /// Something that is needed is away, such as the engine (503).
        public static let unavailable = Code(rawValue: "unavailable")
        /// It took too long (504).
        public static let timeout = Code(rawValue: "timeout")
        /// No part of this device can do it (501).
        public static let notSupported = Code(rawValue: "not-supported")
        /// Anything else (500).
        public static let failed = Code(rawValue: "failed")
    }

    public var code: Code
    /// One line for people. Never holds a secret.
    public var message: String
    /// Whole seconds after which a second attempt makes sense.
    public var retryAfter: Int?

    public init(_ code: Code, _ message: String, retryAfter: Int? = nil) {
        self.code = code
        self.message = message
        self.retryAfter = retryAfter
    }

    public var description: String { message }
}

extension SupervisorError {
    init(_ error: EngineError) {
        switch error.code {
        case .unavailable: self.init(.unavailable, error.message)
        case .timeout: self.init(.timeout, error.message)
        default: self.init(.failed, error.message)
        }
    }
}

extension SupervisorError {
    /// Whether an engine's message is about how it stores images: its storage driver, or a layer. What the runtime says of a
    /// container mentions such paths too, but is about the container.
    var isOfStorageDriver: Bool {
        let words = [
            "/overlay2/", "/overlay-images/", "/overlay-layers/", "overlay mount", "layer", "storage driver",
            "/fuse-overlayfs/", "/vfs/dir", "/btrfs/subvolumes", "/zfs/graph",
        ]
        let text = Array(message.utf8)
        guard !text.mentions("OCI runtime"), !text.mentions("oci runtime") else { return false }
        return words.contains { text.mentions($0) }
    }
}

extension [UInt8] {
    fileprivate func mentions(_ word: String) -> Bool {
        let word = Array(word.utf8)
        guard count >= word.count else { return false }
        return (0...(count - word.count)).contains { self[$0...].starts(with: word) }
    }
}

extension SupervisorError {
    /// Too many jobs wait for the worker: that passes. One that takes no more is at its end.
    init(_ error: WorkerError) {
        switch error.code {
        case .full: self.init(.busy, error.description, retryAfter: 5)
        case .finished: self.init(.unavailable, error.description)
        }
    }
}
