/// One operation of a plugin with the closure that does it.
public struct PluginHandler: Sendable {
    public let name: String
    public let isIdempotent: Bool
    let body: @Sendable (JSONObject) async throws(PluginError) -> JSONObject

    /// `body` may throw `PluginError(code: .cancelled, …)` when it ended because its task was cancelled.
    public init<Operation: HostOperation>(
        _ operation: Operation.Type,
        _ body: @escaping @Sendable (Operation.Parameters) async throws(PluginError) -> Operation.Reply
    ) {
        name = Operation.name
        isIdempotent = Operation.isIdempotent
        self.body = { json throws(PluginError) in
            try await body(try Operation.Parameters(json: json)).json
        }
    }
}

/// Lists handlers without brackets and commas.
@resultBuilder
public enum PluginHandlers {
    public static func buildBlock(_ handlers: PluginHandler...) -> [PluginHandler] { handlers }
}
