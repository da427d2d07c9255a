import NIOSSL

/// How the service itself reaches the bus.
extension FleetConfiguration {
    /// The addresses of the servers of yours, or of the one that the service starts.
    var busAddresses: [String] {
        guard busServers.isEmpty else { return busServers }
        var address = busListen
        switch address.host {
        case "0.0.0.0": address.host = "127.0.0.1"
        case "::": address.host = "::1"
        default: break
        }
        return ["\(busCertificate == nil ? "nats" : "tls")://\(address)"]
    }

    /// What the servers' certificates are checked against: the authorities of this machine. For the server that the service
    /// starts, also those in its certificate file; its name is not checked then, because the service reaches it by address.
    func busTrust() throws -> NIOSSLContext {
        var tls = TLSConfiguration.makeClientConfiguration()
        if busServers.isEmpty, let certificate = busCertificate {
            tls.additionalTrustRoots = [.certificates(try NIOSSLCertificate.fromPEMFile(certificate.chain))]
            tls.certificateVerification = .noHostnameVerification
        }
        return try NIOSSLContext(configuration: tls)
    }
}
