import Glibc
import LinuxSupport
import NIOCore
import NIOPosix
import NIOSSL
import NameResolution

/// Whom the device trusts: one context for all connections, because each would cost memory of its own.
enum CloudTrust {
    /// The system's authorities, looked up in the hashed directory: reading all of them would cost a megabyte for good.
    private static let directory = "/etc/ssl/certs"

    /// Throws SettingsError where the file of further authorities cannot be used.
    static func context(authorities: String?) throws(SettingsError) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.trustRoots = .file(directory)
        // What the last answer has shown does not depend on how the server closes.
        configuration.shutdownTimeout = .seconds(1)
        if let authorities { configuration.additionalTrustRoots = [.file(authorities)] }
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw SettingsError(
                description: authorities.map { "[Cloud] CAFile: \($0) has no certificates that can be read" }
                    ?? "TLS is not available"
            )
        }
    }

    /// The name for the server's certificate; nil for an address, which is compared by itself.
    static func serverName(_ host: String) -> String? {
        (try? SocketAddress(ipAddress: host, port: 0)) == nil ? host : nil
    }

    /// What has gone wrong, in words of ours: the library's name its source files. nil for what is no matter of TLS.
    static func explain(_ error: any Error) -> String? {
        switch error {
        case let error as NameResolutionError: return error.message
        case let error as NIOConnectionError:
            guard let reason = error.dnsAError ?? error.dnsAAAAError ?? error.connectionErrors.first?.error,
                !(reason is NIOConnectionError)
            else { return "the name has no address" }
            return explain(reason) ?? "no connection"
        case let error as IOError: return String(cString: strerror(error.errnoCode))
        case ChannelError.connectTimeout: return "no connection within 10 s"
        case NIOSSLError.uncleanShutdown: return nil
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError: return reason(tls: error)
        default: return nil
        }
    }

    private static func reason(tls error: any Error) -> String {
        let text = String(describing: error)
        func has(_ word: String) -> Bool { text.hasBytes(of: word) }
        if error is NIOSSLExtraError { return "its certificate is for another name" }
        if has("CERTIFICATE_VERIFY_FAILED") {
            return "its certificate is not trusted; [Cloud] CAFile= adds an authority, and the clock has to be right"
        }
        if has("WRONG_VERSION_NUMBER") || has("HTTP_REQUEST") { return "it does not speak TLS" }
        return "the TLS handshake failed"
    }
}
