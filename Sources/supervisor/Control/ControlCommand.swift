import ArgumentParser
import Glibc

/// A command that asks the supervisor for something.
protocol ControlCommand: AsyncParsableCommand {
    var root: Supervisorctl { get }
    var connection: ConnectionOptions { get }

    /// Does it, and returns what goes to standard output.
    func act(_ client: ControlClient) async throws(ControlFailure) -> String
}

extension ControlCommand {
    mutating func run() async throws {
        let environment = getenv("SUPERVISOR_CONTROL_SOCKET").map { String(cString: $0) }.flatMap {
            $0.isEmpty ? nil : $0
        }
        let socket = connection.socket ?? root.connection.socket ?? environment ?? ConnectionOptions.standardSocket
        do {
            let output = try await act(ControlClient(socket: socket))
            if !output.isEmpty { print(output) }
        } catch {
            if !error.message.isEmpty {
                let line = Array("supervisorctl: \(error.message)\n".utf8)
                write(STDERR_FILENO, line, line.count)
            }
            throw error.exitCode
        }
    }
}
