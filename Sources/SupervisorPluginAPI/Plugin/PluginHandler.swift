/// One operation of a plugin with the closure that does it.
public struct PluginHandler: Sendable {
    public let name: String
    public let isIdempotent: Bool
    let body: Body

    enum Body: Sendable {
        /// Runs in a task of its own.
        case task(@Sendable (JSONObject) async throws(PluginError) -> JSONObject)
        /// Runs on the thread that reads the input.
        case immediate(@Sendable (JSONObject) throws(PluginError) -> JSONObject)
    }

    /// `body` may throw `PluginError(code: .cancelled, …)` when it ended because its task was cancelled.
    public init<Operation: HostOperation>(
        _ operation: Operation.Type,
        _ body: @escaping @Sendable (Operation.Parameters) async throws(PluginError) -> Operation.Reply
    ) {
        self.init(
            name: Operation.name,
            isIdempotent: Operation.isIdempotent,
            body: .task { json throws(PluginError) in try await body(try Operation.Parameters(json: json)).json }
        )
    }

    private init(name: String, isIdempotent: Bool, body: Body) {
        self.name = name
        self.isIdempotent = isIdempotent
        self.body = body
    }

    /// An operation that is answered from what the plugin knows. `body` runs on the thread that reads, which saves a change
    /// of threads, and must not wait for anything: no file, no bus, no lock that is held for long.
    public static func immediate<Operation: HostOperation>(
        _ operation: Operation.Type,
        _ body: @escaping @Sendable (Operation.Parameters) throws(PluginError) -> Operation.Reply
    ) -> PluginHandler {
        PluginHandler(
            name: Operation.name,
            isIdempotent: Operation.isIdempotent,
            body: .immediate { json throws(PluginError) in try body(try Operation.Parameters(json: json)).json }
        )
    }
}

/// Lists handlers without brackets and commas.
@resultBuilder
public enum PluginHandlers {
    public static func buildBlock(_ handlers: PluginHandler...) -> [PluginHandler] { handlers }
}
