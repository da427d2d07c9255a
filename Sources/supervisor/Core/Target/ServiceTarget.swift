import JSON

/// A service of an application as it should run.
struct ServiceTarget: Sendable, Hashable {
    var id: String
    var name: String
    var imageID = ""
    /// The image's name, with tag or digest.
    var image: String
    /// false keeps the container, stopped.
    var running = true
    var environment: [String: String] = [:]
    var labels: [String: String] = [:]
    var composition = Composition()
    /// The service's object as it was written; kept in a label of the container, so that a lost target can be read back
    /// from the engine.
    var definition: JSONObject = [:]

    /// By the label `io.balena.update.strategy`, or its `io.resin.` twin.
    var strategy: UpdateStrategy {
        label("update.strategy").flatMap(UpdateStrategy.init(rawValue:)) ?? .downloadThenKill
    }

    /// How long a hand-over may take: by the label `io.balena.update.handover-timeout`, or its `io.resin.` twin, in
    /// milliseconds; a minute without one.
    var handOverTimeout: Duration {
        label("update.handover-timeout").flatMap(Int64.init).map(Duration.milliseconds) ?? .seconds(60)
    }

    /// How long a release has to stay up to be a good one, by the label `io.supervisor.healthy-after` in seconds; nil
    /// where nothing is to be rolled back.
    var healthyAfter: Duration? {
        labels[Self.healthyAfterLabel].flatMap(Int64.init).map(Duration.seconds)
    }

    static let healthyAfterLabel = "io.supervisor.healthy-after"

    private func label(_ name: String) -> String? {
        labels["io.balena." + name] ?? labels["io.resin." + name]
    }
}
