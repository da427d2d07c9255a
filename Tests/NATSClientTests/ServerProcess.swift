import Glibc
import JSON
import NATSKeys
import TestSupport

@testable import NATSClient

/// A nats-server of the test's own, on free ports of the loopback, ended with the last reference.
final class ServerProcess {
    let directory: TemporaryDirectory
    private(set) var pid: pid_t = 0
    private(set) var ports: [String: Int] = [:]

    /// - Parameters:
    ///   - configuration: Beside the directory of the ports' file. `DIR` stands for the server's directory.
    ///   - ports: Fixed ones in the configuration need no file to be read.
    init(_ configuration: String, in directory: TemporaryDirectory = TemporaryDirectory()) throws {
        self.directory = directory
        let text = "ports_file_dir: \"DIR\"\nserver_name: test\n" + configuration
        directory.write(text.replacing("DIR", with: directory.path), to: "server.conf")
        try start()
    }

    deinit { stop(SIGKILL) }

    func start() throws {
        // A server that was killed leaves its file behind.
        for name in directory.names() where name.hasSuffix(".ports") { unlink(directory[name]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, directory["log"], O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        let words: [String] = ["nats-server", "-c", directory["server.conf"]]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { word in strdup(word) }
        arguments.append(nil)
        defer { arguments.forEach { free($0) } }
        let path = access("/usr/sbin/nats-server", X_OK) == 0 ? "/usr/sbin/nats-server" : "/usr/bin/nats-server"
        let code = posix_spawn(&pid, path, &actions, nil, &arguments, environ)
        guard code == 0 else { throw SystemFailure(text: "posix_spawn: \(code)") }
        for _ in 0..<1000 {
            if let name = directory.names().first(where: { $0 == "nats-server_\(pid).ports" }),
                let text = directory.text(name), let value = try? JSONValue(parsing: text)
            {
                for (kind, urls) in value.objectValue?.members.map({ ($0.name, $0.value) }) ?? [] {
                    guard let url = urls.arrayValue?.first?.stringValue else { continue }
                    ports[kind] = url.split(separator: ":").last.flatMap { Int($0) }
                }
                return
            }
            usleep(10_000)
        }
        throw SystemFailure(text: "nats-server did not start:\n\(directory.text("log") ?? "")")
    }

    func signal(_ number: Int32) {
        kill(pid, number)
    }

    func stop(_ number: Int32) {
        guard pid > 0 else { return }
        kill(pid, number)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        pid = 0
    }

    /// The address of the server's port for `kind`: nats or websocket.
    func address(_ scheme: NATSServer.Scheme = .nats) -> NATSServer {
        NATSServer(
            scheme: scheme,
            host: "127.0.0.1",
            port: ports[scheme == .ws || scheme == .wss ? "websocket" : "nats"] ?? 1
        )
    }
}

struct SystemFailure: Error {
    var text: String
}
