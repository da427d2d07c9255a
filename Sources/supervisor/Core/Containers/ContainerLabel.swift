/// Names of the labels that our containers, networks and volumes carry. They are what a supervisor that was killed anywhere reads back.
public enum ContainerLabel {
    /// Digits; a container with this label is ours.
    public static let app = "io.supervisor.app-id"
    public static let appName = "io.supervisor.app-name"
    public static let service = "io.supervisor.service-name"
    public static let serviceID = "io.supervisor.service-id"
    public static let commit = "io.supervisor.commit"
    public static let release = "io.supervisor.release-id"
    /// The configuration's digest: if it differs from the target's, the container is recreated.
    public static let configuration = "io.supervisor.config"
    /// A number, higher than that of every container of the service that was there when this one was made. No clock tells
    /// which is the successor: a device without a battery begins in the past.
    public static let generation = "io.supervisor.generation"
    /// On a container of an application with several services.
    public static let multiService = "io.supervisor.multi-service"
    /// On a container or network that was made only to see whether the engine accepts it.
    public static let trial = "io.supervisor.trial"
    /// Whether it was made only for that; every container of ours has the label.
    static func isTrial(_ labels: [String: String]) -> Bool { labels[trial] == "1" }

    /// A network's name in the target.
    public static let network = "io.supervisor.network"
    /// A volume's name in the target.
    public static let volume = "io.supervisor.volume"
    /// The names of a service's variables as JSON; their values are in the environment of the container.
    public static let variables = "io.supervisor.variables"
    /// The definition of a service, network or volume as JSON, from which a lost target is read back; that of a service
    /// without the values of its variables.
    public static let definition = "io.supervisor.definition"
}
