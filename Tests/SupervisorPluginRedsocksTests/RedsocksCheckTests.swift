import SupervisorPluginAPI
import Testing

@testable import supervisor_plugin_redsocks

@Suite(.timeLimit(.minutes(1))) struct RedsocksCheckTests {
    static func error(_ script: String, secrets: [String] = [], timeout: Duration = .seconds(15)) -> PluginError? {
        let folder = Folder()
        folder.write("#!/bin/sh\n\(script)\n", as: "program", mode: 0o700)
        do throws(PluginError) {
            try RedsocksCheck(program: "\(folder.path)/program", timeout: timeout).run("/tmp/c", secrets: secrets)
            return nil
        } catch {
            return error
        }
    }

    @Test func `a program that accepts is silent`() {
        #expect(Self.error("[ \"$*\" = '-t -c /tmp/c' ] || exit 3; echo noise >&2") == nil)
    }

    @Test func `a refusal shows the complaint without secrets`() {
        let error = Self.error(
            "printf 'line\\n 5: hun\"ter2 of joe5 hun\"ter2' >&2; exit 1",
            secrets: ["joe5", #"hun"ter2"#]
        )
        #expect(error?.reason == .failed)
        #expect(error?.detail == "line 5: * of * *")
        #expect(error?.message.firstRange(of: "exit status 1") != nil)
    }

    @Test func `a secret that is too short to be replaced hides the complaint`() {
        #expect(Self.error("echo 'unable to parse ab' >&2; exit 1", secrets: ["ab"])?.detail == nil)
        #expect(Self.error("echo 'unable to parse' >&2; exit 1", secrets: ["xy"])?.detail == "unable to parse")
    }

    @Test func `a secret at the end of a long complaint is cut whole`() {
        let script = "head -c 65530 /dev/zero | tr '\\0' a >&2; echo hunter2 >&2; head -c 100000 /dev/zero >&2; exit 1"
        let detail = Self.error(script, secrets: ["hunter2"])?.detail
        #expect(detail?.utf8.count == 500)
        #expect(detail?.utf8.allSatisfy { $0 == UInt8(ascii: "a") } == true)
    }

    @Test func `an abort is told as one`() {
        #expect(Self.error("kill -ABRT $$")?.message.firstRange(of: "signal 6") != nil)
    }

    @Test func `a program that hangs is ended at the time-out`() {
        let start = ContinuousClock.now
        let error = Self.error("exec sleep 30", timeout: .seconds(1))
        #expect(error?.reason == .timeout)
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    @Test func `a program that hangs is ended when the call is cancelled`() {
        let folder = Folder()
        folder.write("#!/bin/sh\nexec sleep 30\n", as: "program", mode: 0o700)
        let start = ContinuousClock.now
        let check = RedsocksCheck(program: "\(folder.path)/program")
        let error = #expect(throws: PluginError.self) { try check.run("/c", secrets: []) { true } }
        #expect(error?.code == .cancelled)
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    @Test func `a program that is not there is unavailable`() {
        let error = #expect(throws: PluginError.self) {
            try RedsocksCheck(program: "/nonexistent").run("/c", secrets: [])
        }
        #expect(error?.reason == .unavailable)
    }

    @Test func `nothing of the environment reaches it and its signals are as usual`() {
        #expect(
            Self.error(
                "[ \"$(tr -d '\\0' < /proc/$$/environ)\" = LC_ALL=C ] || exit 3; grep -q 'SigBlk:.*0000$' /proc/$$/status"
            ) == nil
        )
    }
}
