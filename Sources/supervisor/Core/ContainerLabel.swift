/// Names of the labels that our containers carry. They are what a supervisor that was killed anywhere reads back.
public enum ContainerLabel {
    /// Digits; a container with this label is ours.
    public static let app = "io.supervisor.app-id"
    public static let appName = "io.supervisor.app-name"
    public static let service = "io.supervisor.service-name"
    public static let serviceID = "io.supervisor.service-id"
    public static let commit = "io.supervisor.commit"
    public static let release = "io.supervisor.release-id"
    /// The configuration's digest: where it differs from the target's, the container is made anew.
    public static let configuration = "io.supervisor.config"
    /// The service's definition as JSON, from which a lost target is read back.
    public static let definition = "io.supervisor.definition"
}
