import Glibc
import NIOSSL
import TestSupport

/// A certificate for localhost and 127.0.0.1, made by openssl(1) for the run.
enum TestCertificate {
    static let directory: TemporaryDirectory = {
        let directory = TemporaryDirectory(in: "/tmp")
        for name in ["good", "other"] {
            let command =
                "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test "
                + "-addext subjectAltName=DNS:localhost,DNS:bus.example -keyout \(directory[name]).key -out \(directory[name]).pem 2>/dev/null"
            precondition(system(command) == 0, command)
        }
        return directory
    }()

    static func context(trusting name: String) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .file(directory["\(name).pem"])
        return try NIOSSLContext(configuration: configuration)
    }

    static var block: String {
        "{ cert_file: \"\(directory["good"]).pem\", key_file: \"\(directory["good"]).key\", timeout: 5 }"
    }
}
