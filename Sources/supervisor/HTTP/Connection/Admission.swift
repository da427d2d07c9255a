import NIOHTTP1
import SupervisorCore

/// What a request's head alone decides.
struct Admission {
    enum Verdict {
        /// Answered at once; the body is not read and the connection ends.
        case refuse(Response)
        /// Answered when the body, whose bytes do not matter, has been read.
        case answer(Response)
        case run(Route, parameter: String?)
    }

    var verdict: Verdict
    /// The path without the query, for the log: a query may hold the key.
    var path: String
    var query: Substring = ""
    /// The client has shown the API key. False where none was asked for.
    var hasKey = false
    /// The client waits for "100 Continue" before it sends its body.
    var awaitsContinue = false

    /// - Parameters:
    ///   - isOpen: whether a route of this access needs no key here.
    ///   - accepts: whether a text is the API key.
    init(
        _ head: HTTPRequestHead,
        routes: RouteTable,
        limits: HTTPLimits,
        isOpen: (Route.Access) -> Bool,
        accepts: (String) -> Bool
    ) {
        guard head.uri.utf8.count <= limits.targetSize else {
            self.init(verdict: .refuse(.text(.uriTooLong, "The request target is too long")), path: "")
            return
        }
        let target = RequestTarget(head.uri)
        let match = routes.match(head.method, target.path)
        self.init(verdict: .answer(.text(.notFound, "Not found")), path: target.path, query: target.query)
        if !Self.isOpen(match, isOpen) {
            hasKey = Credentials.areRight(query: query, headers: head.headers, accepts: accepts)
            guard hasKey else {
                verdict = .refuse(.unauthorized)
                return
            }
        }
        if let refusal = Self.refusal(of: head, limits: limits) {
            verdict = .refuse(refusal)
            return
        }
        awaitsContinue = head.version != .http1_0 && head.headers.contains(name: "Expect") && Self.hasBody(head)
        switch match {
        case .route(let route, let parameter):
            verdict = .run(route, parameter: parameter)
        case .otherMethod(let allow):
            verdict = .answer(.text(.methodNotAllowed, "Method not allowed").with("Allow", allow))
        case .options(let allow):
            verdict = .answer(Response.noContent.with("Allow", allow))
        case .unknown:
            break
        }
    }

    private init(verdict: Verdict, path: String, query: Substring = "") {
        self.verdict = verdict
        self.path = path
        self.query = query
    }

    private static func isOpen(_ match: RouteTable.Match, _ isOpen: (Route.Access) -> Bool) -> Bool {
        guard case .route(let route, _) = match else { return isOpen(.key) }
        return isOpen(route.access)
    }

    /// What is wrong with the body that the head announces.
    private static func refusal(of head: HTTPRequestHead, limits: HTTPLimits) -> Response? {
        // The parser has checked that there is one Content-Length at most, of digits, and none beside an encoding.
        let length = head.headers.first(name: "Content-Length")
        let encodings = head.headers["Transfer-Encoding"]
        if !encodings.isEmpty {
            guard head.version != .http1_0 else {
                return .text(.badRequest, "HTTP/1.0 has no Transfer-Encoding")
            }
            guard encodings.count == 1, ASCIIToken.matches(encodings[0].utf8, "chunked") else {
                return .text(.notImplemented, "The only Transfer-Encoding taken is chunked")
            }
        }
        if let length, Int(length).map({ $0 > limits.bodySize }) ?? true {
            return .text(.payloadTooLarge, "The body is over \(limits.bodySize / 1024) kB")
        }
        if let expectation = head.headers.first(name: "Expect"), head.version != .http1_0,
            !ASCIIToken.matches(expectation.utf8, "100-continue")
        {
            return .text(.expectationFailed, "The only expectation taken is 100-continue")
        }
        if hasBody(head), !head.headers["Content-Encoding"].allSatisfy(isIdentity) {
            return .text(.unsupportedMediaType, "Content-Encoding is not supported")
        }
        return nil
    }

    /// Whether a list of content codings (RFC 9110, section 8.4) leaves the body as it is.
    private static func isIdentity(_ codings: String) -> Bool {
        codings.utf8.split(separator: UInt8(ascii: ",")).allSatisfy { coding in
            ASCIIToken.matches(coding.lazy.filter { !ASCIIToken.isBlank($0) }, "identity")
        }
    }

    private static func hasBody(_ head: HTTPRequestHead) -> Bool {
        head.headers.contains(name: "Transfer-Encoding")
            || (Int(head.headers.first(name: "Content-Length") ?? "") ?? 0) > 0
    }
}
