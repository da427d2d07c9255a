import Glibc

/// State that was kept under the name that the supervisor had before it was first released. It is not taken over: the
/// two programs may be installed side by side for a while, and only a person knows which one is to run the apps.
enum FormerState {
    static let directory = "/var/lib/supervisor"

    /// One line that says how to move the former state; nil where there is none, or where this supervisor has state of its
    /// own. A directory that may not be looked into counts as one with state: it belonged to another user.
    static func hint(for directory: String, former: String = FormerState.directory) -> String? {
        guard access(directory + "/api-key", F_OK) != 0, errno == ENOENT, former != directory else { return nil }
        guard access(former + "/api-key", F_OK) == 0 || errno == EACCES else { return nil }
        return """
            \(former) has state of a supervisor and \(directory) has none; to move it, run \
            systemctl stop device-supervisor && cp -a \(former)/. \(directory)/ && \
            chown -R --from=supervisor device-supervisor:device-supervisor \(directory) && systemctl start device-supervisor
            """
    }
}
