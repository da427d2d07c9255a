internal import LinuxSupport
internal import SupervisorCore

/// The causes of a failed download, recognised by the engine's message: the engine has one status, 500, for nearly all
/// of them, and none at all once the answer has begun.
enum DownloadFault: Sendable, Hashable, CaseIterable {
    case noSpace
    case tooManyRequests
    /// The Docker Hub, and others like it, do not distinguish a private image from one that does not exist.
    case deniedOrAbsent
    case unauthorized
    case damaged
    case absent
    case incomplete
    case plainHTTP
    case certificateExpired
    case certificateUnknown
    case insecure
    case proxy
    case unknownHost
    case refused
    case unreachable
    case silent
    case brokenOff
    case registryFailed

    /// By the first phrase that the message has, in the order of the cases. The phrases are docker's
    /// (github.com/docker/distribution, Go's net, net/http and crypto/x509) and podman's (github.com/containers/image).
    init?(message: String) {
        // An image may be called anything, and its name is in the address that was asked.
        let text = " \(Self.withoutAddresses(message)) ".utf8.map(\.lowercasedASCII)
        guard let fault = Self.allCases.first(where: { $0.phrases.contains(where: text.mentions) }) else { return nil }
        self = fault
    }

    private var phrases: [String] {
        switch self {
        case .noSpace: ["no space left on device", "disk quota exceeded"]
        case .tooManyRequests:
            ["toomanyrequests: ", "too many requests", "http 429 ", "unexpected http status: 429", "registry 429 "]
        case .deniedOrAbsent: ["pull access denied for "]
        case .unauthorized:
            [
                "unauthorized: ", " denied: ", "no basic auth credentials", "authentication required",
                "incorrect username or password", "invalid username/password", "http 401 ", "http 403 ",
                "unexpected http status: 401", "unexpected http status: 403", "registry 401 ", "registry 403 ",
                "401 unauthorized", "403 forbidden",
            ]
        case .damaged:
            [
                "verification failed for digest", "unexpected commit digest", "failed size validation",
                "digest did not match", "does not match the reference digest", "does not match digest",
                "content does not match",
            ]
        case .absent:
            ["manifest unknown", "name unknown", "repository name not known to registry", " not found: ", "http 404 "]
        case .incomplete: ["blob unknown", "unknown blob"]
        case .plainHTTP: ["server gave http response to https client"]
        case .certificateExpired: ["certificate has expired or is not yet valid"]
        case .certificateUnknown: ["certificate signed by unknown authority", "certificate is not trusted"]
        case .insecure: ["x509: ", " tls: ", "tls handshake"]
        case .proxy: ["proxyconnect tcp"]
        case .unknownHost: ["no such host", ": lookup ", "name resolution"]
        case .refused: ["connection refused"]
        case .unreachable: ["no route to host", "network is unreachable", "host is unreachable"]
        case .silent:
            [
                "i/o timeout", "timeout exceeded", "deadline exceeded", "timed out",
                "request canceled while waiting for connection",
            ]
        case .brokenOff:
            [
                " eof ", "connection reset by peer", "broken pipe", "use of closed network connection", "goaway",
                "server closed idle connection",
            ]
        case .registryFailed:
            [
                "unexpected http status: 5", "registry 5", "http 5", "internal server error", "bad gateway",
                "service unavailable",
            ]
        }
    }

    var code: EngineError.Code {
        switch self {
        case .noSpace: .noSpace
        case .tooManyRequests: .tooManyRequests
        case .deniedOrAbsent, .unauthorized: .unauthorized
        case .damaged: .damaged
        case .absent, .incomplete: .notFound
        case .plainHTTP, .certificateExpired, .certificateUnknown, .insecure, .proxy, .unknownHost, .refused,
            .unreachable, .silent, .brokenOff:
            .unreachable
        case .registryFailed: .failed
        }
    }

    /// What is wrong, for a reader who does not know the engine's source.
    func words(registry: RegistryHost, hasCredentials: Bool) -> String {
        switch self {
        case .noSpace: "no space is left on the disk of the container engine"
        case .tooManyRequests: "the registry \(registry) accepts no more requests for now"
        case .deniedOrAbsent:
            hasCredentials
                ? "the registry \(registry) does not have it, or not for these credentials"
                : "the registry \(registry) does not have it, or not without credentials"
        case .unauthorized:
            hasCredentials
                ? "the registry \(registry) does not accept the credentials for it"
                : "the registry \(registry) asks for credentials, and there are none for it"
        case .damaged: "the data from the registry \(registry) is damaged, its digest does not match"
        case .absent: "the registry \(registry) has no such image or tag"
        case .incomplete: "a layer of it is missing in the registry \(registry)"
        case .plainHTTP: "the registry \(registry) offers no secure connection (TLS)"
        case .certificateExpired:
            "the certificate of the registry \(registry) has expired, or the clock of this device is wrong"
        case .certificateUnknown:
            "the certificate of the registry \(registry) is not from an authority that the engine trusts"
        case .insecure: "no secure connection (TLS) to the registry \(registry)"
        case .proxy: "the engine's proxy does not connect to the registry \(registry)"
        case .unknownHost: "the address of the registry \(registry) cannot be found (DNS)"
        case .refused: "nothing answers at the registry \(registry)"
        case .unreachable: "the registry \(registry) is not reachable, the network may be down"
        case .silent: "the registry \(registry) does not answer in time"
        case .brokenOff: "the connection to the registry \(registry) broke off"
        case .registryFailed: "the registry \(registry) has failed"
        }
    }

    /// Go puts the address of a request that failed in quotes: `Get "https://host/v2/": EOF`.
    private static func withoutAddresses(_ message: String) -> String {
        let parts = message.parts(separatedBy: UInt8(ascii: "\""))
        return parts.filter { !$0.begins(with: "http://") && !$0.begins(with: "https://") }.joined(separator: "\"")
    }
}

extension EngineError {
    /// A download failed.
    ///
    /// - Parameters:
    ///   - message: the engine's own, which stands at the end of ours.
    ///   - code: for a failure that the message does not identify.
    init(
        download image: ImageReference,
        message: String,
        hasCredentials: Bool,
        otherwise code: Code
    ) {
        let attempt = "cannot download image \(image)"
        guard let fault = DownloadFault(message: message) else {
            self.init(code, "\(attempt): \(message)")
            return
        }
        let words = fault.words(registry: RegistryHost(image: image.name), hasCredentials: hasCredentials)
        self.init(fault.code, "\(attempt): \(words): \(message)")
    }
}
