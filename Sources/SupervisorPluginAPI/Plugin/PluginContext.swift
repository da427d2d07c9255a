/// What the core sent to the plugin in the handshake, and the way to send notifications back.
public struct PluginContext: Sendable {
    /// Of the core.
    public let supervisorVersion: String
    public let deviceType: String
    /// [Settings] of the manifest, drop-ins included.
    public let settings: [String: String]
    let send: @Sendable (Frame) -> Void

    init(_ parameters: PluginInitialize.Parameters, send: @escaping @Sendable (Frame) -> Void) {
        supervisorVersion = parameters.supervisorVersion
        deviceType = parameters.deviceType
        settings = parameters.settings
        self.send = send
    }

    /// Sends the core a notification.
    public func notify(_ method: String, _ payload: some PluginPayload) {
        send(.notification(method: method, parameters: payload.json))
    }
}
