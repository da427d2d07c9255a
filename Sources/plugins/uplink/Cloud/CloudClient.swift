import JSON
import LinuxSupport
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NameResolution
import SupervisorEventLoop
import SupervisorPluginAPI
import SupervisorVersion
import UnixHTTP

/// Asks the remote service over HTTPS. Every request has a connection of its own: there is one in some minutes.
struct CloudClient: Sendable {
    let server: CloudServer
    private let trust: NIOSSLContext
    private let loop: any EventLoop

    /// Bytes of an answer: a target of the size that the supervisor takes.
    static let answerLimit = 4 << 20
    private static let connectTime = TimeAmount.seconds(10)
    /// For a whole request, as the protocol has it.
    private static let requestTime = Duration.seconds(59)
    private static let redirectLimit = 3

    init(server: CloudServer, trust: NIOSSLContext, loop: any EventLoop) {
        self.server = server
        self.trust = trust
        self.loop = loop
    }

    /// Sends one request; returns the answer whatever its status, after redirects within the origin.
    ///
    /// - Parameter key: goes into Authorization, and nowhere else.
    func request(
        _ method: HTTPMethod,
        _ target: String,
        key: String,
        headers: HTTPHeaders = [:],
        body: JSONValue? = nil
    ) async throws(CloudError) -> UnixHTTPResponse {
        var target = target
        var headers = headers
        headers.replaceOrAdd(name: "Authorization", value: "Bearer \(key)")
        headers.replaceOrAdd(name: "User-Agent", value: "Supervisor/\(Version.text) (Linux)")
        headers.replaceOrAdd(name: "Accept", value: "application/json")
        if body != nil { headers.replaceOrAdd(name: "Content-Type", value: "application/json") }
        for _ in 0...Self.redirectLimit {
            let answer = try await exchange(method, target, headers, body?.encoded() ?? [])
            guard let next = try redirection(of: answer, method) else { return answer }
            target = next
        }
        throw CloudError(.malformedAnswer, "\(server) redirects again and again")
    }

    private func exchange(
        _ method: HTTPMethod,
        _ target: String,
        _ headers: HTTPHeaders,
        _ body: [UInt8]
    ) async throws(CloudError) -> UnixHTTPResponse {
        do throws(UnixHTTPError) {
            return try await UnixHTTPClient(transport: transport, loop: loop).request(
                method,
                target,
                headers: headers,
                body: body,
                timeout: Self.requestTime,
                limit: Self.answerLimit
            )
        } catch {
            throw switch error.reason {
            case .cancelled: CloudError(.cancelled, error.description)
            case .answerTooLarge, .malformedAnswer: CloudError(.malformedAnswer, error.description)
            case .invalidRequest: CloudError(.local, error.description)
            case .connectFailed, .transportFailed, .closed, .timedOut: CloudError(.unreachable, error.description)
            }
        }
    }

    private var transport: HTTPTransport {
        let (server, trust, loop) = (server, trust, loop)
        return HTTPTransport(
            name: server.description,
            host: server.authority,
            connect: { bootstrap in
                bootstrap.resolver(ThreadResolver(loop: loop)).connectTimeout(Self.connectTime)
                    .connect(host: server.host, port: server.port)
            },
            prepare: { channel in
                guard !server.isPlain else { return }
                let handler = try NIOSSLClientHandler(
                    context: trust,
                    serverHostname: CloudTrust.serverName(server.host)
                )
                try channel.pipeline.syncOperations.addHandler(handler)
            },
            explain: CloudTrust.explain
        )
    }

    /// Where an answer sends to; nil where it does not. The key stays within its origin.
    private func redirection(of answer: UnixHTTPResponse, _ method: HTTPMethod) throws(CloudError) -> String? {
        let isForMethod = [307, 308].contains(answer.status) || method == .GET && [301, 302].contains(answer.status)
        guard isForMethod, let location = answer.headers.first(name: "Location") else { return nil }
        guard location.utf8.count <= 2048 else {
            throw CloudError(.malformedAnswer, "\(server) redirects to an address that is too long")
        }
        if location.begins(with: "/"), !location.begins(with: "//") { return location }
        let slashes = location.utf8.indices.filter { location.utf8[$0] == UInt8(ascii: "/") }.prefix(3)
        let end = slashes.count == 3 ? slashes[2] : location.endIndex
        guard let origin = try? CloudServer(String(location[..<end])), origin == server else {
            throw CloudError(
                .malformedAnswer,
                "\(server) redirects to \(location.cut(toBytes: 200).debugDescription), which is another origin; it was not followed"
            )
        }
        return end == location.endIndex ? "/" : String(location[end...])
    }
}

extension CloudError {
    /// An answer with a status that is no success.
    init(_ answer: UnixHTTPResponse, from server: CloudServer, attempting attempt: String) {
        let text = String(decoding: answer.body.prefix(300), as: UTF8.self)
            .utf8.map { $0 < 0x20 || $0 == 0x7F ? UInt8(ascii: " ") : $0 }
        let said = text.isEmpty ? "" : ": \(String(decoding: text, as: UTF8.self))"
        let seconds = answer.headers.first(name: "Retry-After").flatMap { value -> Int64? in
            value.utf8.count <= 6 && value.utf8.isDecimal ? Int64(value) : nil
        }
        self.init(
            .status(answer.status),
            "\(server) refused to \(attempt) with \(answer.status)\(said)",
            retryAfter: seconds
        )
    }
}
