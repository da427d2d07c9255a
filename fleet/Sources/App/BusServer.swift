import Foundation
import Logging
import NATSKeys
import NIOConcurrencyHelpers

/// The nats-server that the service starts as its child where the configuration names none.
///
/// It ends with the service, a service killed with -9 included, and is started again where it ends by itself.
final class BusServer: Sendable {
    private struct State {
        var process: pid_t = 0
        var isStopping = false
    }

    private let configuration: FleetConfiguration
    private let directory: String
    private let logger: Logger
    private let state = NIOLockedValueBox(State())

    init(_ configuration: FleetConfiguration, logger: Logger) {
        self.configuration = configuration
        directory = configuration.stateDirectory + "/bus"
        self.logger = logger
    }

    /// Writes the server's configuration. The accounts come from the registry and the keys, so nothing that an earlier
    /// server has kept counts.
    func prepare(operatorJWT: String, accounts: [(key: String, jwt: String)], systemAccount: String) throws {
        let store = directory + "/jwt"
        try? FileManager.default.removeItem(atPath: store)
        try FileManager.default.createDirectory(
            atPath: store,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        func tls(_ certificate: FleetConfiguration.Certificate?) -> String? {
            certificate.map { "tls { cert_file: \"\($0.chain)\", key_file: \"\($0.key)\", timeout: 5 }" }
        }
        var lines = [
            "server_name: fleet", "listen: \"\(configuration.busListen)\"", "http: \"127.0.0.1:-1\"",
            "operator: \(operatorJWT)", "system_account: \(systemAccount)",
            "resolver: { type: full, dir: \"\(store)\", allow_delete: true, interval: \"2s\", timeout: \"1.9s\" }",
            "resolver_preload: {",
        ]
        lines += accounts.map { "  \($0.key): \($0.jwt)" }
        lines += [
            "}", "max_payload: 1MB", "max_connections: 1000000", "ping_interval: \"20s\"", "ping_max: 2",
            "write_deadline: \"10s\"", "lame_duck_duration: \"30s\"", "lame_duck_grace_period: \"2s\"",
        ]
        if let tls = tls(configuration.busCertificate) { lines.append(tls) }
        if let address = configuration.busWebSocketListen {
            lines.append("websocket { listen: \"\(address)\", \(tls(configuration.busCertificate) ?? "no_tls: true") }")
        }
        let text = lines.joined(separator: "\n") + "\n"
        try StateDirectory.write(Data(text.utf8), to: directory + "/nats-server.conf")
    }

    /// Starts the server in a thread of its own: its death signal is bound to the thread that started it.
    func start() {
        Thread.detachNewThread { [self] in
            var delay: UInt32 = 1
            while true {
                let began = Date()
                guard let process = spawn() else {
                    logger.error("\(configuration.busProgram) could not be started")
                    sleep(delay)
                    delay = min(delay * 2, 30)
                    if state.withLockedValue({ $0.isStopping }) { return }
                    continue
                }
                let isStopping = state.withLockedValue { state in
                    state.process = process
                    return state.isStopping
                }
                if isStopping { kill(process, SIGTERM) }
                var status: Int32 = 0
                while waitpid(process, &status, 0) < 0, errno == EINTR {}
                let isOver = state.withLockedValue { state in
                    state.process = 0
                    return state.isStopping
                }
                if isOver { return }
                logger.error("nats-server ended with status \(status); it is started again")
                delay = Date().timeIntervalSince(began) > 60 ? 1 : min(delay * 2, 30)
                sleep(delay)
            }
        }
    }

    func stop() {
        let process = state.withLockedValue { state in
            state.isStopping = true
            return state.process
        }
        if process > 0 { kill(process, SIGTERM) }
    }

    private func spawn() -> pid_t? {
        // setpriv(1) sets PR_SET_PDEATHSIG before it becomes the server.
        let arguments = [
            "/usr/bin/setpriv", "--pdeathsig", "KILL", "--", configuration.busProgram, "-c",
            directory + "/nats-server.conf",
        ]
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(
            &actions,
            1,
            directory + "/nats-server.log",
            O_WRONLY | O_CREAT | O_TRUNC,
            0o600
        )
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A group of its own, so that Ctrl-C reaches the service first, which then ends the server.
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        var process: pid_t = 0
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        let environment: [UnsafeMutablePointer<CChar>?] = [strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), nil]
        defer { free(environment[0]) }
        guard posix_spawn(&process, arguments[0], &actions, &attributes, &pointers, environment) == 0 else {
            return nil
        }
        return process
    }
}
