import LinuxSupport
import NIOCore
import NIOPosix
import NIOSSL
import NameResolution

extension NATSError {
    /// What an error of the network means. NIOSSL's own texts hold paths of the machine that it was built on, and are not
    /// passed on.
    init(describing error: any Error, server: NATSServer) {
        switch error {
        case let error as NATSError: self = error
        case let error as NameResolutionError: self.init(.unreachable, error.message)
        case let error as NIOConnectionError:
            let reason = error.dnsAError ?? error.dnsAAAAError ?? error.connectionErrors.first?.error
            if let reason, !(reason is NIOConnectionError) {
                self.init(describing: reason, server: server)
            } else {
                self.init(.unreachable, "\(server) is not reachable: the name \(server.host) has no address")
            }
        case let error as IOError:
            self.init(.unreachable, "\(server) is not reachable: \(String(cString: strerror(error.errnoCode)))")
        case let error as ChannelError:
            if case .connectTimeout = error {
                self.init(.unreachable, "\(server) is not reachable: no answer in time")
            } else {
                self.init(.disconnected, "the connection to \(server) ended")
            }
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError:
            self.init(.tls, "\(server): \(Self.reason(tls: error))")
        default: self.init(.disconnected, "the connection to \(server) failed")
        }
    }

    private static func reason(tls error: any Error) -> String {
        let text = String(describing: error)
        func has(_ word: String) -> Bool { text.hasBytes(of: word) }
        if error is NIOSSLExtraError, has("ostname") { return "the certificate is not for this name" }
        if has("CERTIFICATE_VERIFY_FAILED") {
            return "the certificate is not trusted: it is of another authority, or not valid at the time of this clock"
        }
        if has("WRONG_VERSION_NUMBER") { return "the server does not speak TLS at this port" }
        return "TLS failed"
    }
}
