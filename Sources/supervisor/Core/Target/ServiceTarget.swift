public import JSON

/// A service of an application as it should run.
public struct ServiceTarget: Sendable, Hashable {
    public var id: String
    public var name: String
    public var imageID: String
    /// The image's name, with tag or digest.
    public var image: String
    /// false keeps the container, stopped.
    public var running: Bool
    public var environment: [String: String]
    public var labels: [String: String]
    public var composition: Composition
    /// The service's object as it was written; kept in a label of the container, so that a lost target can be read back
    /// from the engine.
    public var definition: JSONObject

    public init(
        id: String,
        name: String,
        imageID: String = "",
        image: String,
        running: Bool = true,
        environment: [String: String] = [:],
        labels: [String: String] = [:],
        composition: Composition = Composition(),
        definition: JSONObject = [:]
    ) {
        self.id = id
        self.name = name
        self.imageID = imageID
        self.image = image
        self.running = running
        self.environment = environment
        self.labels = labels
        self.composition = composition
        self.definition = definition
    }

    /// By the label `io.balena.update.strategy`, or its `io.resin.` twin.
    public var strategy: UpdateStrategy {
        label("update.strategy").flatMap(UpdateStrategy.init(rawValue:)) ?? .downloadThenKill
    }

    /// How long a hand-over may take: by the label `io.balena.update.handover-timeout`, or its `io.resin.` twin, in
    /// milliseconds; a minute without one.
    public var handOverTimeout: Duration {
        label("update.handover-timeout").flatMap(Int64.init).map(Duration.milliseconds) ?? .seconds(60)
    }

    /// How long a release has to stay up to be a good one, by the label `io.supervisor.healthy-after` in seconds; nil
    /// where nothing is to be rolled back.
    public var healthyAfter: Duration? {
        labels[Self.healthyAfterLabel].flatMap(Int64.init).map(Duration.seconds)
    }

    static let healthyAfterLabel = "io.supervisor.healthy-after"

    private func label(_ name: String) -> String? {
        labels["io.balena." + name] ?? labels["io.resin." + name]
    }
}
