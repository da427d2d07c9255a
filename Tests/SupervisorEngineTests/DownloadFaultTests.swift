import SupervisorCore
import Testing

@testable import SupervisorEngine

@Suite("What went wrong with a download")
struct DownloadFaultTests {
    @Test(
        "is known by the engine's words",
        arguments: [
            (
                "failed to register layer: Error processing tar file(exit status 1): write /noise/a: no space left on device",
                DownloadFault.noSpace
            ),
            ("toomanyrequests: refused by the test", .tooManyRequests),
            (
                "error parsing HTTP 429 response body: invalid character 's' looking for beginning of value: \"slow\"",
                .tooManyRequests
            ),
            (
                "pull access denied for team/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
                .deniedOrAbsent
            ),
            ("Get \"http://127.0.0.1:5000/v2/app/manifests/1\": no basic auth credentials", .unauthorized),
            ("unauthorized: authentication required", .unauthorized),
            (
                "Get \"https://r.example.com/v2/app/manifests/1\": unauthorized: incorrect username or password",
                .unauthorized
            ),
            ("filesystem layer verification failed for digest sha256:00", .damaged),
            ("image config verification failed for digest sha256:00", .damaged),
            ("manifest verification failed for digest sha256:00", .damaged),
            ("unexpected commit digest sha256:00, expected sha256:11: failed precondition", .damaged),
            ("manifest for 127.0.0.1:5000/app:9 not found: manifest unknown: manifest unknown", .absent),
            ("repository 127.0.0.1:5000/app not found: name unknown: repository name not known to registry", .absent),
            ("unknown blob", .incomplete),
            ("Get \"https://127.0.0.1:5000/v2/\": http: server gave HTTP response to HTTPS client", .plainHTTP),
            (
                "Get \"https://r/v2/\": x509: certificate has expired or is not yet valid: current time 1970-01-01T00:00:00Z is before 2025-01-01T00:00:00Z",
                .certificateExpired
            ),
            ("Get \"https://r/v2/\": x509: certificate signed by unknown authority", .certificateUnknown),
            ("Get \"https://r/v2/\": x509: certificate is valid for a, not r", .insecure),
            ("Get \"https://r/v2/\": remote error: tls: handshake failure", .insecure),
            ("Get \"https://r/v2/\": net/http: TLS handshake timeout", .insecure),
            ("Get \"https://r/v2/\": proxyconnect tcp: dial tcp 10.0.0.1:3128: connect: connection refused", .proxy),
            (
                "Get \"https://r.example.com/v2/\": dial tcp: lookup r.example.com on 127.0.0.1:53: no such host",
                .unknownHost
            ),
            (
                "Get \"https://r/v2/\": dial tcp: lookup r on [::1]:53: read udp [::1]:1->[::1]:53: read: connection refused",
                .unknownHost
            ),
            ("Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused", .refused),
            ("Get \"http://10.9.9.9/v2/\": dial tcp 10.9.9.9:80: connect: no route to host", .unreachable),
            ("Get \"http://10.9.9.9/v2/\": dial tcp 10.9.9.9:80: connect: network is unreachable", .unreachable),
            ("Get \"http://10.9.9.9/v2/\": dial tcp 10.9.9.9:80: i/o timeout", .silent),
            (
                "Get \"https://r/v2/\": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)",
                .silent
            ),
            ("unexpected EOF", .brokenOff),
            ("Get \"http://127.0.0.1:5000/v2/app/blobs/sha256:00\": EOF", .brokenOff),
            ("read tcp 127.0.0.1:1->127.0.0.1:2: read: connection reset by peer", .brokenOff),
            (
                "error pulling image configuration: received unexpected HTTP status: 500 Internal Server Error",
                .registryFailed
            ),
            ("received unexpected HTTP status: 503 Service Unavailable", .registryFailed),
        ]
    )
    func words(message: String, fault: DownloadFault) {
        #expect(DownloadFault(message: message) == fault)
    }

    @Test(
        "is not taken from the name of the image",
        arguments: [
            ("Get \"http://127.0.0.1:5000/v2/no-such-host/manifests/eof\": weird", nil),
            ("manifest for r.example.com/unauthorized:1 not found: manifest unknown: manifest unknown", .absent),
            ("something else", nil), ("", nil),
        ] as [(String, DownloadFault?)]
    )
    func names(message: String, fault: DownloadFault?) {
        #expect(DownloadFault(message: message) == fault)
    }

    @Test(
        "is told in one line with the image, the registry and the engine's own words",
        arguments: DownloadFault.allCases
    )
    func line(fault: DownloadFault) throws {
        let image = try ImageReference("r.example.com:5000/app:1")
        for hasCredentials in [false, true] {
            let words = fault.words(registry: RegistryHost(image: image.name), hasCredentials: hasCredentials)
            #expect(words.contains("the registry r.example.com:5000") || fault == .noSpace)
            #expect(!words.contains("\n"))
        }
        #expect(fault.code != .unavailable, "an engine that is away is something else")
    }

    @Test("keeps the code of the answer where the words say nothing")
    func unknown() throws {
        let image = try ImageReference("app:1")
        let error = EngineError(download: image, message: "because", hasCredentials: false, otherwise: .invalid)
        #expect(error == EngineError(.invalid, "cannot download image app:1: because"))
        let known = EngineError(download: image, message: "unexpected EOF", hasCredentials: false, otherwise: .failed)
        #expect(
            known
                == EngineError(
                    .unreachable,
                    "cannot download image app:1: the connection to the registry docker.io broke off: unexpected EOF"
                )
        )
    }
}
