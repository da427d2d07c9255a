/// A container as inspected.
public struct EngineContainerDetail: Sendable, Hashable {
    public var container: EngineContainer
    /// As "NAME=value", in the engine's order, those of the image included.
    public var environment: [String]
    public var exitCode: Int?
    /// How often the engine has started it again by itself since it was last started.
    public var restartCount: Int
    /// What the engine says of a failed start; empty otherwise.
    public var error: String

    public init(
        container: EngineContainer,
        environment: [String],
        exitCode: Int?,
        restartCount: Int,
        error: String
    ) {
        self.container = container
        self.environment = environment
        self.exitCode = exitCode
        self.restartCount = restartCount
        self.error = error
    }
}
