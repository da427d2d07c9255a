import CLinux
import Glibc
import Logging
import SupervisorCore
import SupervisorEventLoop
import SupervisorPluginAPI
import TestSupport
import Testing

@testable import SupervisorPluginHost

/// Plugins that are processes: scripts of /bin/sh.
@Suite(.timeLimit(.minutes(1)))
struct ExecTests {
    /// A plugin `test` that answers every call with what `body` sets as `result`.
    private static func script(_ body: String = "", greeting: String? = nil) -> String {
        let greet =
            #"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":1,"plugin":{"name":"test","version":"1"},"#
            + #""operations":[{"name":"x.echo","idempotent":true}]}}"#
        return """
            #!/bin/sh
            result='{}'
            read -r line
            printf '%s\\n' '\(greeting ?? greet)'
            read -r line
            while read -r line; do
                id=${line#*'"id":'}; id=${id%%,*}
                \(body)
                printf '{"jsonrpc":"2.0","id":%s,"result":%s}\\n' "$id" "$result"
            done
            """
    }

    private static func install(
        _ script: String,
        in bench: HostBench,
        _ launch: String = "",
        provides: String = "x.echo"
    ) async {
        bench.directory.write(script, to: "plugin", mode: 0o755)
        bench.write(
            manifest: """
                [Plugin]
                Name=test
                Provides=\(provides)
                [Launch]
                Exec=\(bench.directory["plugin"]) --one "two words"
                \(launch)
                """
        )
        await bench.reload()
    }

    @Test func `a script is started with its arguments by the first call, and ended when idle`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            await Self.install(
                Self.script(#"result="{\"one\":\"$1\",\"two\":\"$2\"}""#),
                in: bench,
                "IdleTimeoutSec=100ms"
            )
            #expect(await bench.plugin()["state"] == "idle")
            #expect(try await bench.call("x.echo")["result"] == ["one": "--one", "two": "two words"])
            let pid = await bench.plugin()["pid"]?.integerValue
            #expect(kill(pid_t(pid ?? 0), 0) == 0)
            #expect(try await bench.state("idle") != nil)
            #expect(kill(pid_t(pid ?? 0), 0) == -1 && errno == ESRCH)
            #expect(await bench.plugin()["failures"] == 0)
        }
    }

    @Test func `a child has three descriptors, the signals and the environment that it was promised`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            setenv("NOTIFY_SOCKET", "/secret", 1)
            setenv("LISTEN_FDS", "3", 1)
            let body = """
                fds=$(ls /proc/$$/fd | tr '\\n' ' ')
                exec 3>&-
                env=$(tr '\\0' '\\n' </proc/$$/environ | cut -d= -f1 | sort | tr '\\n' ' ')
                sig=$(grep -E '^Sig(Blk|Ign)' /proc/$$/status | tr -d '\\n\\t')
                stat=$(cut -d' ' -f1,5,6 /proc/$$/stat)
                result="{\\"fds\\":\\"$fds\\",\\"env\\":\\"$env\\",\\"sig\\":\\"$sig\\",\\"cwd\\":\\"$(pwd)\\",\\"stat\\":\\"$stat\\",\\"files\\":\\"$(ulimit -Sn)\\",\\"umask\\":\\"$(umask)\\"}"
                """
            await Self.install(Self.script(body), in: bench)
            let answer = try await bench.call("x.echo")
            let result = try #require(answer["result"], "\(answer)")
            // 3 is the script itself, which its interpreter opens; 4 and 10 are dash's own.
            let descriptors = result["fds"]?.stringValue?.split(separator: " ").map(String.init) ?? []
            #expect(Set(descriptors).isSubset(of: ["0", "1", "2", "3", "4", "10"]), "\(descriptors)")
            #expect(
                result["env"] == "LANG PATH SWIFT_BACKTRACE "
                    || result["env"] == "DBUS_SYSTEM_BUS_ADDRESS LANG PATH SWIFT_BACKTRACE "
            )
            #expect(result["sig"] == "SigBlk:0000000000000000SigIgn:0000000000000000")
            #expect(result["cwd"] == "/")
            #expect(result["files"] == "512")
            #expect(result["umask"] == "0022")
            // Its own group and session.
            let numbers = result["stat"]?.stringValue?.split(separator: " ") ?? []
            #expect(Set(numbers).count == 1, "\(numbers)")
        }
    }

    @Test func `a program is not a script: it has nothing but its three descriptors`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            bench.write(
                manifest: "[Plugin]\nName=test\nProvides=x.echo\n[Launch]\nExec=/bin/ls -l /proc/self/fd\n"
            )
            await bench.reload()
            _ = try await bench.call("x.echo")
            // What it writes is no frame, which its reason cites; the descriptors are told by the launcher's own test below.
            #expect(await bench.plugin()["failures"]?.integerValue ?? 0 > 0)
        }
    }

    @Test func `the launcher alone: what a program sees of descriptors`() throws {
        let launcher = ExecLauncher(path: "/bin/ls", arguments: ["/proc/self/fd"])
        let child = try launcher.launch()
        defer {
            close(child.socket)
            close(child.diagnostics)
        }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case let count = read(child.socket, &buffer, buffer.count), count > 0 { text += buffer[..<count] }
        // The last one is the directory that ls has open.
        #expect(String(decoding: text, as: UTF8.self) == "0\n1\n2\n3\n")
        var status: Int32 = 0
        #expect(waitpid(child.pid, &status, 0) == child.pid && status == 0)
    }

    @Test func `its standard error goes to the log, with level, operation and request`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            let body = """
                echo "<4>[x.echo $id] careful" >&2
                echo "plain" >&2
                head -c 5000 /dev/zero | tr '\\0' x >&2
                echo >&2
                """
            await Self.install(Self.script(body), in: bench)
            _ = try await bench.host.call(named: "x.echo", [:], recordsFrames: false)
            var lines: [LogRecorder.Line] = []
            for _ in 0..<400 where lines.count < 3 {
                lines = bench.log.lines.all.filter {
                    $0.text == "careful" || $0.text == "plain" || $0.text.hasPrefix("xxx")
                }
                try await LoopClock(loop: bench.loop).sleep(for: .milliseconds(5))
            }
            #expect(lines.map(\.level) == [.warning, .info, .info])
            #expect(lines.first?.metadata == ["plugin": "test", "operation": "x.echo", "request-id": "2"])
            #expect(lines.last?.text.utf8.count == 4096)
        }
    }

    @Test func `a line that is written for a request of the API carries the id of that request`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            let greeting =
                #"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":1,"plugin":{"name":"test","version":"1"},"#
                + #""operations":[{"name":"led.blink","idempotent":true}]}}"#
            // It answers once the line is in the log: later, the request is not known any more.
            let body = """
                echo "[led.blink $id] blinking" >&2
                while [ ! -e '\(bench.directory["logged"])' ]; do sleep 0.01; done
                """
            await Self.install(Self.script(body, greeting: greeting), in: bench, provides: "led.blink")
            async let reply = bench.host.call(LEDBlink.self, .init(durationMs: 1), requestID: "r-7")
            var line: LogRecorder.Line?
            for _ in 0..<1000 where line == nil {
                line = bench.log.lines.all.first { $0.text == "blinking" }
                try await LoopClock(loop: bench.loop).sleep(for: .milliseconds(5))
            }
            #expect(line?.metadata == ["plugin": "test", "operation": "led.blink", "request-id": "r-7"])
            bench.directory.write("", to: "logged")
            _ = try await reply
        }
    }

    @Test func `a flood of log lines is slowed down`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            await Self.install(Self.script("seq 1 400 >&2"), in: bench)
            let begin = ContinuousClock.now
            _ = try await bench.call("x.echo")
            while !bench.log.lines.all.contains(where: { $0.text == "400" }) {
                try await LoopClock(loop: bench.loop).sleep(for: .milliseconds(5))
                try #require(ContinuousClock.now - begin < .seconds(20))
            }
            #expect(bench.log.lines.all.contains { $0.text.hasPrefix("too much output on standard error") })
            let numbers = bench.log.lines.all.compactMap { Int($0.text) }
            #expect(numbers == Array(1...400))
        }
    }

    /// What a plugin does instead of an answer, and what is said of it.
    private static let deaths: [(name: String, body: String, reason: String)] = [
        ("exit", "exit 3", "ended with status 3"),
        ("kill", "kill -SEGV $$", "was killed by signal 11"),
        ("stdout", "exec >&- <&-; sleep 30", "closed its standard output"),
        ("a child that keeps the socket", "sleep 30 & exit 4", "ended with status 4"),
    ]

    @Test(arguments: deaths)
    func `a death is told with its cause, and leaves nothing behind`(
        name: String,
        body: String,
        reason: String
    ) async throws {
        try await HostBench.run(random: { 0.99 }) { (bench: HostBench) async throws in
            await Self.install(Self.script(body), in: bench, "CallTimeoutSec=3")
            let call = Task(executorPreference: bench.executor) { try await bench.call("x.echo") }
            let plugin = try await bench.state("backing-off")
            #expect(plugin?["reason"]?.stringValue?.hasPrefix(reason) == true, "\(plugin ?? .null)")
            let answer = try await call.value
            #expect(answer["error"]?["message"]?.stringValue?.contains(reason) == true, "\(answer)")
            #expect(answer["error"]?["message"]?.stringValue?.hasPrefix("test: ") == true)
        }
    }

    @Test func `one that ignores everything is killed, and the core does not wait for it`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            await Self.install(
                "#!/bin/sh\ntrap '' TERM\n" + Self.script("while :; do sleep 1; done").dropFirst(10),
                in: bench,
                "CallTimeoutSec=100ms\nStopTimeoutSec=200ms"
            )
            #expect(try await bench.call("x.echo")["error"]?["reason"] == "timeout")
            let pid = pid_t(await bench.plugin()["pid"]?.integerValue ?? 0)
            #expect(pid > 0)
            bench.directory.write("", to: "test.plugin")
            await bench.reload()
            #expect(kill(pid, 0) == -1)
            // The log hears of it a moment later than the one who waits for the reload.
            while !bench.log.lines.all.contains(where: { $0.text.contains("killed") }) {
                try await LoopClock(loop: bench.loop).sleep(for: .milliseconds(10))
            }
        }
    }

    @Test func `a plugin that is replaced while it works may finish`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            await Self.install(Self.script("sleep 0.3"), in: bench)
            await bench.host.connect(["x.echo"])
            let call = Task(executorPreference: bench.executor) { try await bench.call("x.echo") }
            try await LoopClock(loop: bench.loop).sleep(for: .milliseconds(50))
            await Self.install(Self.script("sleep 0.3"), in: bench, "[Settings]\nA=b")
            #expect(try await call.value["result"] == [:])
            #expect(await bench.plugin()["failures"] == 0)
        }
    }

    @Test func `what must not run is refused loudly`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            await Self.install(Self.script(), in: bench)
            chmod(bench.directory["plugin"], 0o775)
            await bench.reload()
            let plugin = await bench.plugin()
            #expect(plugin["state"] == "invalid")
            #expect(plugin["reason"] == .string("\(bench.directory["plugin"]) is writable by its group"))
            #expect(
                bench.log.lines.all.contains { $0.level == .error && $0.text.contains("is writable by its group") }
            )
            let error = await #expect(throws: HostOperationError.self) { try await bench.call("x.echo") }
            #expect(error?.code == .unavailable)
            chmod(bench.directory["plugin"], 0o755)
            await bench.reload()
            #expect(try await bench.call("x.echo")["result"] == [:])
        }
    }

    @Test func `what is changed after the manifest was read is refused when it is to run`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            await Self.install(Self.script(), in: bench, "CallTimeoutSec=300ms")
            chmod(bench.directory["plugin"], 0o757)
            #expect(try await bench.call("x.echo")["error"] != nil)
            let plugin = await bench.plugin()
            #expect(plugin["reason"]?.stringValue?.contains("is writable by everyone") == true, "\(plugin)")
            #expect(plugin["failures"]?.integerValue ?? 0 > 0)
        }
    }

    @Test func `an essential one that never greets is settled when its time is over`() async throws {
        try await HostBench.run { (bench: HostBench) async throws in
            bench.directory.write("#!/bin/sh\nsleep 60\n", to: "plugin", mode: 0o755)
            bench.write(
                manifest: """
                    [Plugin]
                    Name=test
                    Provides=x.echo
                    Essential=yes
                    [Launch]
                    Exec=\(bench.directory["plugin"])
                    StartTimeoutSec=200ms
                    StopTimeoutSec=100ms
                    """
            )
            await bench.reload()
            let begin = ContinuousClock.now
            await bench.host.essentialsSettled()
            #expect(ContinuousClock.now - begin < .seconds(1))
            #expect(bench.log.lines.all.contains { $0.text.contains("no handshake within 0.2 s") })
        }
    }
}

struct TrustedExecutableTests {
    private static func refusal(_ path: String, user: uid_t = geteuid()) -> String? {
        do throws(ExecutableError) {
            close(try TrustedExecutable.open(path, user: user))
            return nil
        } catch {
            return error.description
        }
    }

    @Test func `programs of the system are accepted, through links, too`() {
        #expect(Self.refusal("/bin/sh") == nil)
        #expect(Self.refusal("/usr/../bin/./env") == nil)
    }

    @Test func `what others could change is refused, and so is what is no program`() {
        let directory = TemporaryDirectory(in: "/tmp")
        let path = directory["program"]
        func reset() {
            chmod(directory.path, 0o700)
            directory.write("#!/bin/sh\n", to: "program", mode: 0o755)
        }
        reset()
        #expect(Self.refusal(path) == nil)
        chmod(path, 0o775)
        #expect(Self.refusal(path) == "\(path) is writable by its group")
        chmod(path, 0o757)
        #expect(Self.refusal(path) == "\(path) is writable by everyone")
        chmod(path, 0o644)
        #expect(Self.refusal(path) == "\(path) is not executable")
        reset()
        chmod(directory.path, 0o770)
        #expect(Self.refusal(path) == "\(directory.path) is writable by its group (on the way to \(path))")
        chmod(directory.path, 0o1777)
        #expect(Self.refusal(path) == nil)
        reset()
        #expect(Self.refusal(path + "/x")?.hasPrefix("\(path) is not a directory") == true)
        #expect(Self.refusal(directory.path)?.contains("is not a regular file") == true)
        #expect(Self.refusal(directory["none"]) == "\(directory["none"]) cannot be used: No such file or directory")
        mkfifo(directory["fifo"], 0o755)
        #expect(Self.refusal(directory["fifo"]) == "\(directory["fifo"]) is not a regular file")
    }

    @Test func `a link is followed with the same eyes`() {
        let directory = TemporaryDirectory(in: "/tmp")
        directory.directory("open", mode: 0o777)
        directory.directory("closed")
        directory.write("#!/bin/sh\n", to: "closed/program", mode: 0o755)
        symlink("../closed/program", directory["open/link"])
        symlink("closed/program", directory["link"])
        symlink("loop", directory["loop"])
        symlink(directory["closed"], directory["absolute"])
        #expect(Self.refusal(directory["link"]) == nil)
        #expect(Self.refusal(directory["absolute/program"]) == nil)
        #expect(
            Self.refusal(directory["open/link"])?.hasPrefix("\(directory["open"]) is writable by everyone") == true
        )
        #expect(Self.refusal(directory["loop"])?.hasSuffix("Too many levels of symbolic links") == true)
    }

    @Test(.enabled(if: geteuid() == 0))
    func `a stranger's file, link or directory is refused`() {
        let directory = TemporaryDirectory(in: "/tmp")
        chmod(directory.path, 0o755)
        directory.write("#!/bin/sh\n", to: "program", mode: 0o755)
        symlink("program", directory["link"])
        lchown(directory["link"], 1234, 0)
        #expect(Self.refusal(directory["link"])?.hasPrefix("\(directory["link"]) belongs to user 1234") == true)
        chown(directory["program"], 1234, 0)
        #expect(Self.refusal(directory["program"])?.contains("belongs to user 1234, neither root") == true)
        #expect(Self.refusal(directory["program"], user: 1234) == nil)
        chown(directory["program"], 0, 0)
        chown(directory.path, 1234, 0)
        #expect(Self.refusal(directory["program"])?.hasPrefix("\(directory.path) belongs to user 1234") == true)
    }
}

struct DiagnosticLineTests {
    @Test(
        arguments: [
            ("plain", "info", nil, nil, "plain"),
            ("<3>bad", "error", nil, nil, "bad"),
            ("<0>worst", "critical", nil, nil, "worst"),
            ("<7>[led.blink 12] on", "debug", "led.blink", "12", "on"),
            ("[plugin.initialize 1]x", "info", "plugin.initialize", "1", "x"),
            ("<9>odd", "info", nil, nil, "<9>odd"),
            ("<6>[not an operation] x", "info", nil, nil, "[not an operation] x"),
            ("[led.blink] x", "info", nil, nil, "[led.blink] x"),
            ("a\u{1B}[31mb\r", "info", nil, nil, "a [31mb"),
        ] as [(String, String, String?, String?, String)]
    )
    func `a line says its level and its call`(
        line: String,
        level: String,
        operation: String?,
        request: String?,
        text: String
    ) {
        let parsed = DiagnosticLine(Array(line.utf8))
        #expect(parsed.level.rawValue == level)
        #expect(parsed.operation == operation)
        #expect(parsed.request == request)
        #expect(parsed.text == text)
    }
}
