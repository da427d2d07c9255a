internal import JSON
public import Logging
public import NIOCore
internal import NIOHTTP1
public import SupervisorCore
public import SupervisorPorts
internal import UnixHTTP

/// A container engine that speaks the Docker Engine API over a unix socket: docker, balena-engine, podman.
///
/// Each call is a connection of its own, so an engine that restarts disturbs nothing but what was under way. The version
/// of the API is agreed with the first call, and again after the engine was away.
///
/// Ours because no client of that API in Swift is maintained, and few of its calls are needed.
///
/// An actor on the event loop: callers on the loop's thread stay on it.
public actor DockerEngine: ContainerEngine {
    /// Bytes that an answer may have.
    enum Limit {
        static let list = 64 << 20
        static let other = 16 << 20
    }

    /// Bytes of an answer that take a millisecond or two.
    private static let parsedOnLoop = 64 << 10

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Kept, because the actor's own reference to it does not.
    private nonisolated let executor: any SerialExecutor
    private nonisolated let client: UnixHTTPClient
    private nonisolated let worker: any BlockingWorker
    nonisolated let timeouts: EngineTimeouts
    nonisolated let logger: Logger

    /// What was agreed with the engine; nil until it has answered, and after it was away.
    private(set) var information: EngineInformation?

    /// Connects to nothing yet. Large answers are parsed by `worker`, off the event loop.
    public init(
        socket path: String,
        loop: any EventLoop,
        worker: any BlockingWorker,
        logger: Logger,
        timeouts: EngineTimeouts = EngineTimeouts()
    ) {
        executor = loop.executor
        client = UnixHTTPClient(path: path, loop: loop)
        self.worker = worker
        self.timeouts = timeouts
        self.logger = logger
    }

    nonisolated var loop: any EventLoop { client.loop }

    public func ping() async throws(EngineError) -> EngineInformation {
        try await agree()
    }

    // MARK: Calls

    /// The body of an answer that must be JSON of at most `limit` bytes.
    nonisolated(nonsending) func json(
        _ response: UnixHTTPResponse,
        limit: Int,
        attempting attempt: String
    ) async throws(EngineError) -> JSONValue {
        let body = response.body
        let parse: @Sendable () throws -> JSONValue = {
            try JSONValue(parsing: body, limits: JSONValue.Limits(size: limit))
        }
        do {
            if body.count > Self.parsedOnLoop {
                do { return try await worker.run(parse) } catch is WorkerError {}
            }
            return try LoopWatch.shared.run("the engine's answer, to \(attempt)", parse)
        } catch {
            throw EngineError(.malformedAnswer, "cannot \(attempt): the answer is not JSON: \(error)")
        }
    }

    /// Asks the engine with the agreed version before `target`. Throws only if there is no answer; the caller checks
    /// the status.
    func call(
        _ method: HTTPMethod,
        _ target: EnginePath,
        body: JSONValue? = nil,
        timeout: Duration,
        limit: Int = Limit.other,
        stringLimit: Int = AnswerConsumer.stringLimit,
        attempting attempt: String
    ) async throws(EngineError) -> UnixHTTPResponse {
        if method == .GET {
            return try await query(target, timeout, limit: limit, stringLimit: stringLimit, attempting: attempt)
        }
        return try await versioned(target, attempting: attempt) { client, target throws(UnixHTTPError) in
            try await client.request(
                method,
                target,
                headers: body == nil ? [:] : ["Content-Type": "application/json"],
                body: body?.encoded() ?? [],
                timeout: timeout,
                limit: limit
            )
        } response: {
            $0
        }
    }

    private func query(
        _ target: EnginePath,
        _ timeout: Duration,
        limit: Int,
        stringLimit: Int,
        attempting attempt: String
    ) async throws(EngineError) -> UnixHTTPResponse {
        var (response, consumer) = try await stream(
            .GET,
            target,
            headTimeout: timeout,
            idleTimeout: timeout,
            attempting: attempt,
            into: AnswerConsumer(limit: limit, stringLimit: stringLimit)
        )
        if consumer.isTooLarge {
            throw EngineError(.malformedAnswer, "cannot \(attempt): the answer is larger than \(limit) bytes")
        }
        if response.isSuccess { response.body = consumer.body }
        return response
    }

    /// As `call`, for answers without an end: `consumer` has the body of a successful one.
    func stream<Consumer: BodyConsumer>(
        _ method: HTTPMethod,
        _ target: EnginePath,
        headers: HTTPHeaders = [:],
        headTimeout: Duration,
        idleTimeout: Duration?,
        attempting attempt: String,
        into consumer: Consumer
    ) async throws(EngineError) -> (response: UnixHTTPResponse, consumer: Consumer) {
        try await versioned(target, attempting: attempt) { client, target throws(UnixHTTPError) in
            try await client.stream(
                method,
                target,
                headers: headers,
                headTimeout: headTimeout,
                idleTimeout: idleTimeout,
                into: consumer
            )
        } response: {
            $0.response
        }
    }

    /// Puts the agreed version before the target. An engine that was replaced in between may refuse that version; then
    /// it has done nothing, and is asked again with one that it has.
    private func versioned<Answer>(
        _ target: EnginePath,
        attempting attempt: String,
        ask: (UnixHTTPClient, String) async throws(UnixHTTPError) -> Answer,
        response: (Answer) -> UnixHTTPResponse
    ) async throws(EngineError) -> Answer {
        let known = information
        let answer = try await unrepeated(target, attempting: attempt, ask: ask)
        guard known != nil, response(answer).refusesVersion else { return answer }
        information = nil
        return try await unrepeated(target, attempting: attempt, ask: ask)
    }

    private func unrepeated<Answer>(
        _ target: EnginePath,
        attempting attempt: String,
        ask: (UnixHTTPClient, String) async throws(UnixHTTPError) -> Answer
    ) async throws(EngineError) -> Answer {
        let version = if let information { information.apiVersion } else { try await agree().apiVersion }
        do {
            return try await ask(client, "/v\(version)\(target)")
        } catch {
            throw fault(error, attempting: attempt)
        }
    }

    // MARK: The version

    /// Asks what the engine is and which versions it has; both questions go without a version.
    private func agree() async throws(EngineError) -> EngineInformation {
        let attempt = "reach the container engine"
        information = nil
        let ping = try await unversioned("/_ping", attempting: attempt)
        let answer = try await unversioned("/version", attempting: attempt)
        let details = try await json(answer, limit: Limit.other, attempting: attempt)
        let maximum = ping.headers.first(name: "Api-Version") ?? details["ApiVersion"]?.plainValue
        guard let maximum = maximum.flatMap({ EngineAPIVersion($0) }) else {
            throw EngineError(.malformedAnswer, "cannot \(attempt): it does not report its API version")
        }
        let minimum = details["MinAPIVersion"]?.plainValue.flatMap { EngineAPIVersion($0) }
        let agreed = EngineInformation(
            name: Self.name(server: ping.headers.first(name: "Server"), details: details),
            version: details["Version"]?.plainValue ?? "unknown",
            apiVersion: EngineAPIVersion.agreed(minimum: minimum, maximum: maximum).description
        )
        information = agreed
        logger.debug(
            "container engine answers",
            metadata: [
                "name": "\(agreed.name)", "version": "\(agreed.version)", "api": "\(agreed.apiVersion)",
            ]
        )
        return agreed
    }

    private func unversioned(_ target: String, attempting attempt: String) async throws(EngineError) -> UnixHTTPResponse
    {
        let response: UnixHTTPResponse
        do {
            response = try await client.request(.GET, target, timeout: timeouts.query, limit: Limit.other)
        } catch {
            throw fault(error, attempting: attempt)
        }
        guard response.isSuccess else { throw EngineError(response, attempting: attempt) }
        return response
    }

    /// The server's own header, then the components of its version.
    static func name(server: String?, details: JSONValue) -> String {
        let components = details["Components"]?.arrayValue ?? []
        let words = [server, details["Platform"]?["Name"]?.stringValue, components.first?["Name"]?.stringValue]
            .compactMap(\.self)
        if words.contains(where: { $0.mentions("balena") }) { return "balena-engine" }
        if words.contains(where: { $0.mentions("podman") || $0.mentions("libpod") }) { return "podman" }
        return "docker"
    }

    private func fault(_ error: UnixHTTPError, attempting attempt: String) -> EngineError {
        let error = EngineError(error, attempting: attempt)
        // What comes back may be another version of it.
        if error.code == .unavailable { information = nil }
        return error
    }
}

extension UnixHTTPResponse {
    /// "client version 1.41 is too new", or "too old": the request was not looked at.
    fileprivate var refusesVersion: Bool {
        status == 400 && engineMessage.mentions("client version")
    }
}
