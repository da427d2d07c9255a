import CDBus
import Glibc

/// A dbus-daemon of the test's own, on a socket in a temporary folder. Ends with the last reference.
///
/// `@unchecked Sendable`: a test starts and ends it from one task.
final class BusDaemon: @unchecked Sendable {
    private let folder: String
    private(set) var process: pid_t?

    var address: String { "unix:path=\(folder)/bus" }

    init() throws {
        var template = Array("/tmp/dbus-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError(errno) }
        folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        let configuration = """
            <!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
             "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
            <busconfig>
              <listen>\(address)</listen>
              <auth>EXTERNAL</auth>
              <policy context="default">
                <allow user="*"/>
                <allow own="*"/>
                <allow send_type="method_call"/>
                <allow send_type="signal"/>
                <allow receive_type="method_call"/>
                <allow receive_type="signal"/>
                <allow receive_type="method_return"/>
                <allow receive_type="error"/>
                <allow send_requested_reply="true" send_type="method_return"/>
                <allow send_requested_reply="true" send_type="error"/>
                <deny send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus" send_member="ReloadConfig"/>
              </policy>
            </busconfig>
            """
        let file = fopen("\(folder)/bus.conf", "w")
        fputs(configuration, file)
        fclose(file)
        try start()
    }

    /// Returns once it listens.
    func start() throws {
        unlink("\(folder)/bus")
        process = try spawn(["dbus-daemon", "--config-file=\(folder)/bus.conf", "--nofork", "--nopidfile"])
        // The file is there before anybody listens.
        for _ in 0..<1000 {
            if let connection = dbus_connection_open_private(address, nil) {
                dbus_connection_close(connection)
                dbus_connection_unref(connection)
                return
            }
            usleep(10_000)
        }
        throw SystemError(ETIMEDOUT)
    }

    func send(_ signal: Int32) {
        if let process { Glibc.kill(process, signal) }
    }

    func kill() {
        guard let process else { return }
        end(process)
        self.process = nil
    }

    deinit {
        kill()
        unlink("\(folder)/bus")
        unlink("\(folder)/bus.conf")
        rmdir(folder)
    }
}

struct SystemError: Error {
    let code: Int32
    init(_ code: Int32) { self.code = code }
}

func spawn(_ command: [String], environment: [String] = []) throws -> pid_t {
    var arguments = command.map { strdup($0) } + [nil]
    var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) }
    var inherited = environ
    while let variable = inherited.pointee {
        variables.append(strdup(variable))
        inherited += 1
    }
    variables.append(nil)
    defer { (arguments + variables).forEach { free($0) } }
    var process = pid_t()
    let code = posix_spawnp(&process, command[0], nil, nil, &arguments, &variables)
    guard code == 0 else { throw SystemError(code) }
    return process
}

func end(_ process: pid_t) {
    Glibc.kill(process, SIGCONT)
    Glibc.kill(process, SIGKILL)
    waitpid(process, nil, 0)
}
