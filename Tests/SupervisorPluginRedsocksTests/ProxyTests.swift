import Glibc
import SupervisorPluginAPI
import Synchronization
import Testing

@testable import supervisor_plugin_redsocks

/// A service that fails on demand.
final class FakeServices: ServiceManager {
    struct State {
        /// The files as each restart found them.
        var restarts: [String?] = []
        /// How the next restarts end; success when there is none left.
        var outcomes: [Outcome] = []
        var active = "inactive"
        var isBusAway = false
        /// Called within a restart, before it ends.
        var during: (@Sendable () async -> Void)?
    }

    enum Outcome {
        case ends(in: String)
        case failsJob
        case isRefused
    }

    let state = Mutex(State())
    private let folder: Folder

    init(_ folder: Folder) {
        self.folder = folder
    }

    var restarts: [String?] { state.withLock { $0.restarts } }

    func restart(_ unit: String) async throws(ServiceError) {
        let isSet = folder.read("redsocks.conf") != nil
        let (outcome, during) = state.withLock { state in
            state.restarts.append(folder.read("redsocks.conf"))
            let outcome = state.outcomes.isEmpty ? nil : state.outcomes.removeFirst()
            return (state.isBusAway ? .isRefused : outcome ?? .ends(in: isSet ? "active" : "inactive"), state.during)
        }
        await during?()
        switch outcome {
        case .ends(in: let active): state.withLock { $0.active = active }
        case .failsJob:
            state.withLock { $0.active = "failed" }
            throw ServiceError(PluginError(.failed, "cannot restart \(unit): failed"), hasBegun: true)
        case .isRefused:
            throw ServiceError(PluginError(.permissionDenied, "denied", source: "x.Denied"), hasBegun: false)
        }
    }

    func activeState(of unit: String) async throws(ServiceError) -> String {
        let (active, isAway) = state.withLock { ($0.active, $0.isBusAway) }
        if isAway { throw ServiceError(PluginError(.unavailable, "the bus is away"), hasBegun: false) }
        return active
    }
}

@Suite(.timeLimit(.minutes(2))) struct ProxyTests {
    let folder = Folder()
    let services: FakeServices

    init() {
        services = FakeServices(folder)
    }

    func proxy(program: String = "/bin/true", lockTime: Duration = .seconds(5)) -> Proxy {
        let options = Proxy.Options(
            files: folder.names,
            check: RedsocksCheck(program: program),
            unit: "redsocks.service",
            user: "redsocks",
            group: "redsocks",
            settlingTime: .milliseconds(60),
            lockTime: lockTime
        )
        return Proxy(options, services)
    }

    static func settings(_ port: Int64, password: String = "hunter2", noProxy: [String] = []) throws -> ProxySettings {
        try ProxySettings(
            type: "socks5",
            ip: "10.0.0.1",
            port: port,
            login: "joe5",
            password: password,
            noProxy: noProxy
        )
    }

    func failure(_ body: () async throws -> Void) async -> PluginError? {
        do {
            try await body()
            return nil
        } catch {
            return error as? PluginError
        }
    }

    @Test func `nothing is set at first`() async throws {
        #expect(try await proxy().get() == nil)
        #expect(services.restarts.isEmpty)
    }

    @Test func `what is set is read back, and the service has seen it`() async throws {
        let proxy = proxy()
        let settings = try Self.settings(1, noProxy: ["10.0.0.0/8"])
        try await proxy.set(settings)
        #expect(try await proxy.get() == settings)
        #expect(services.restarts == [folder.read("redsocks.conf")])
        #expect(folder.entries == ["no_proxy", "redsocks.conf"])
        #expect(folder.read("no_proxy") == "10.0.0.0/8\n")
    }

    /// A redsocks that notes each check of the section for DNS, and knows the section or not.
    private func redsocks(knowsDNS: Bool) -> String {
        folder.write(
            """
            #!/bin/sh
            grep -q dnsu2t "$3" || exit 0
            grep -q '^redsocks' "$3" || echo asked >> \(folder.path)/asked
            \(knowsDNS ? "exit 0" : "echo 'unknown section <dnsu2t>' >&2; exit 1")

            """,
            as: "redsocks",
            mode: 0o755
        )
        return "\(folder.path)/redsocks"
    }

    private static func withDNS(_ resolver: String?) throws -> ProxySettings {
        try ProxySettings(type: "socks5", ip: "10.0.0.1", port: 1, dns: resolver)
    }

    @Test func `DNS is refused by name where redsocks does not know it, which is asked once`() async throws {
        let proxy = proxy(program: redsocks(knowsDNS: false))
        try await proxy.set(try Self.withDNS(nil))
        let before = folder.read("redsocks.conf")
        for _ in 0..<2 {
            let error = await failure { try await proxy.set(try Self.withDNS("8.8.8.8:53")) }
            #expect(error?.reason == .invalidArgument)
            #expect(error?.message.hasPrefix("dns is wrong, allowed: false") == true)
        }
        #expect(folder.read("asked") == "asked\n")
        #expect(folder.read("redsocks.conf") == before)
        #expect(services.restarts.count == 1)
        #expect(folder.entries == ["asked", "redsocks", "redsocks.conf"])
    }

    @Test func `DNS goes through redsocks where it knows how`() async throws {
        let proxy = proxy(program: redsocks(knowsDNS: true))
        for resolver in ["8.8.8.8:53", "9.9.9.9:5353"] {
            try await proxy.set(try Self.withDNS(resolver))
            #expect(try await proxy.get()?.dns == resolver)
            let parts = resolver.split(separator: ":")
            let section = "remote_ip = \"\(parts[0])\";\n\tremote_port = \"\(parts[1])\";"
            #expect(folder.read("redsocks.conf")?.contains(section) == true)
        }
        #expect(folder.read("asked") == "asked\n")
        try await proxy.set(try Self.withDNS(nil))
        #expect(folder.read("redsocks.conf")?.contains("dnsu2t") == false)
    }

    @Test func `a check that tells nothing is made again`() async throws {
        folder.write("#!/bin/sh\nkill -9 $$\n", as: "redsocks", mode: 0o755)
        let proxy = proxy(program: "\(folder.path)/redsocks")
        let error = await failure { try await proxy.set(try Self.withDNS("8.8.8.8:53")) }
        #expect(error?.reason == .failed)
        _ = redsocks(knowsDNS: true)
        try await proxy.set(try Self.withDNS("8.8.8.8:53"))
    }

    @Test func `a section by hand outlives changes and a time without a proxy`() async throws {
        let hand = "redudp { /* ours */ local_port = 10053; }"
        folder.write("\(RedsocksConfigurationTests.resinOS)\(hand)\n", as: "redsocks.conf")
        let proxy = proxy()
        try await proxy.set(try Self.settings(1))
        #expect(folder.read("redsocks.conf")?.contains(hand) == true)
        try await proxy.clear()
        #expect(try await proxy.get() == nil)
        #expect(folder.entries == [".redsocks.conf.kept"])
        try await proxy.clear()
        try await proxy.set(try Self.settings(2))
        #expect(folder.read("redsocks.conf")?.contains(hand) == true)
        #expect(try await proxy.get() == Self.settings(2))
        #expect(folder.entries == ["redsocks.conf"])
    }

    @Test func `the same again restarts nothing while the service runs`() async throws {
        let proxy = proxy()
        try await proxy.set(try Self.settings(1))
        try await proxy.set(try Self.settings(1))
        #expect(services.restarts.count == 1)
        services.state.withLock { $0.active = "failed" }
        try await proxy.set(try Self.settings(1))
        #expect(services.restarts.count == 2)
        try await proxy.set(try Self.settings(1, noProxy: ["1.2.3.4"]))
        #expect(services.restarts.count == 3)
    }

    @Test func `the same in a file of others restarts nothing`() async throws {
        folder.write(RedsocksConfigurationTests.resinOS, as: "redsocks.conf")
        services.state.withLock { $0.active = "active" }
        let proxy = proxy()
        let settings = try #require(try await proxy.get())
        try await proxy.set(settings)
        #expect(services.restarts.isEmpty)
        #expect(folder.read("redsocks.conf") == RedsocksConfigurationTests.resinOS)
    }

    @Test func `clear removes both files and stops the service`() async throws {
        let proxy = proxy()
        try await proxy.set(try Self.settings(1, noProxy: ["1.2.3.4"]))
        try await proxy.clear()
        #expect(folder.entries.isEmpty)
        #expect(services.restarts.count == 2 && services.restarts.last == .some(nil))
        #expect(try await proxy.get() == nil)
        try await proxy.clear()
        #expect(services.restarts.count == 2)
    }

    @Test func `a service that does not stop for want of its file brings the file back`() async throws {
        let proxy = proxy()
        try await proxy.set(try Self.settings(1))
        services.state.withLock { $0.outcomes = [.ends(in: "active")] }
        let error = await failure { try await proxy.clear() }
        #expect(error?.reason == .failed)
        #expect(try await proxy.get() == Self.settings(1))
        #expect(services.restarts.count == 3)
    }

    @Test(arguments: [
        FakeServices.Outcome.failsJob, .ends(in: "failed"), .ends(in: "activating"), .ends(in: "inactive"),
    ])
    func `a service that does not come up gets its former files back`(outcome: FakeServices.Outcome) async throws {
        let proxy = proxy()
        try await proxy.set(try Self.settings(1, noProxy: ["1.2.3.4"]))
        let former = (folder.read("redsocks.conf"), folder.read("no_proxy"))
        services.state.withLock { $0.outcomes = [outcome] }
        let error = await failure { try await proxy.set(try Self.settings(2)) }
        #expect(error?.reason == .failed)
        #expect(error?.message.firstRange(of: "the former settings are in effect again") != nil)
        #expect(folder.read("redsocks.conf") == former.0 && folder.read("no_proxy") == former.1)
        #expect(folder.entries == ["no_proxy", "redsocks.conf"])
        #expect(services.restarts.count == 3 && services.restarts.last == former.0)
    }

    @Test func `the first proxy that fails leaves none`() async throws {
        services.state.withLock { $0.outcomes = [.failsJob] }
        let proxy = proxy()
        #expect(await failure { try await proxy.set(try Self.settings(1)) } != nil)
        #expect(folder.entries.isEmpty)
    }

    @Test func `a refusal touches the service no second time`() async throws {
        let proxy = proxy()
        try await proxy.set(try Self.settings(1))
        services.state.withLock { $0.outcomes = [.isRefused] }
        let error = await failure { try await proxy.set(try Self.settings(2)) }
        #expect(error?.reason == .permissionDenied && error?.source == "x.Denied")
        #expect(services.restarts.count == 2)
        #expect(try await proxy.get() == Self.settings(1))
    }

    @Test func `a bus that is away changes nothing`() async throws {
        services.state.withLock { $0.isBusAway = true }
        let error = await failure { try await proxy().set(try Self.settings(1)) }
        #expect(error?.reason == .unavailable)
        #expect(folder.entries.isEmpty && services.restarts.isEmpty)
    }

    @Test func `a way back that fails is told, and tried again by the next process`() async throws {
        let proxy = proxy()
        try await proxy.set(try Self.settings(1))
        services.state.withLock { $0.outcomes = [.failsJob, .failsJob] }
        let error = await failure { try await proxy.set(try Self.settings(2)) }
        #expect(error?.message.firstRange(of: "does not run with them") != nil)
        #expect(try await proxy.get() == Self.settings(1))
        #expect(services.state.withLock { $0.active } == "active")
        #expect(folder.entries == ["redsocks.conf"])
    }

    @Test func `a check that refuses changes nothing and shows no secret`() async throws {
        let proxy = proxy()
        try await proxy.set(try Self.settings(1))
        folder.write("#!/bin/sh\necho hunter2 joe5 is bad >&2\nexit 1\n", as: "check", mode: 0o700)
        let refusing = self.proxy(program: "\(folder.path)/check")
        let error = await failure { try await refusing.set(try Self.settings(2)) }
        #expect(error?.detail == "* * is bad")
        #expect(try await proxy.get() == Self.settings(1))
        #expect(services.restarts.count == 1)
        #expect(folder.entries == ["check", "redsocks.conf"])
    }

    @Test func `a call that is cancelled before the change is given up`() async throws {
        folder.write("#!/bin/sh\nexec sleep 30\n", as: "check", mode: 0o700)
        let proxy = proxy(program: "\(folder.path)/check")
        let folder = folder
        let task = Task { try await proxy.set(try Self.settings(1)) }
        while !folder.entries.contains(".redsocks.conf.candidate") { try await Task.sleep(for: .milliseconds(5)) }
        task.cancel()
        let error = await failure { try await task.value }
        #expect(error?.code == .cancelled)
        #expect(folder.entries == ["check"])
    }

    @Test func `a call that is cancelled within the change is finished`() async throws {
        let proxy = proxy()
        let (isRestarting, began) = AsyncStream.makeStream(of: Void.self)
        let (mayEnd, end) = AsyncStream.makeStream(of: Void.self)
        services.state.withLock { state in
            state.during = {
                began.yield()
                for await _ in mayEnd { break }
            }
        }
        let task = Task { try await proxy.set(try Self.settings(1)) }
        for await _ in isRestarting { break }
        task.cancel()
        end.yield()
        try await task.value
        services.state.withLock { $0.during = nil }
        #expect(try await proxy.get() == Self.settings(1))
        #expect(folder.entries == ["redsocks.conf"])
    }

    @Test func `calls at once run one after the other`() async throws {
        let proxy = proxy()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for port in 1...8 {
                group.addTask { try await proxy.set(try Self.settings(Int64(port), noProxy: ["10.0.0.\(port)"])) }
            }
            try await group.waitForAll()
        }
        let last = try #require(try await proxy.get())
        #expect(last.noProxy == ["10.0.0.\(last.port)"])
        #expect(services.restarts.count == 8)
        #expect(services.restarts.last == folder.read("redsocks.conf"))
    }

    @Test func `a change that was cut short is taken back by any operation`() async throws {
        try await proxy().set(try Self.settings(1))
        let former = folder.read("redsocks.conf")
        do {
            let files = try folder.files()
            _ = try files.prepare(ProxyFilesTests.content("half", nil))
            try files.begin()
            try files.swap(ProxyFilesTests.content("half", nil))
        }
        #expect(try await proxy().get() == Self.settings(1))
        #expect(services.restarts.count == 2 && services.restarts.last == former)
        #expect(folder.entries == ["redsocks.conf"])
    }

    @Test func `a recovery whose restart fails is not tried by every question, and by a set`() async throws {
        try await proxy().set(try Self.settings(1))
        do {
            let files = try folder.files()
            try files.begin()
        }
        services.state.withLock { $0.outcomes = [.failsJob] }
        let proxy = proxy()
        #expect(try await proxy.get() == Self.settings(1))
        #expect(try await proxy.get() == Self.settings(1))
        #expect(services.restarts.count == 2)
        try await proxy.set(try Self.settings(1))
        #expect(services.restarts.count == 3)
        #expect(folder.entries == ["redsocks.conf"])
    }

    @Test func `another process that holds the files makes the call busy`() async throws {
        let files = try folder.files()
        let isLocked = try files.tryLock()
        #expect(isLocked)
        let error = await failure { _ = try await proxy(lockTime: .milliseconds(100)).get() }
        #expect(error?.reason == .busy)
    }

    @Test(arguments: [
        ("redsocks {\n password = \"SECRET\"\n}\n", nil, "redsocks.conf, line 3: "),
        ("redsocks {\n type = SECRET;\n ip = a; port = 1;\n}\n", nil, "redsocks.conf, line 2: "),
        ("redsocks { type = socks5; ip = a; port = 1; }\n", "1.2.3.4\nSECRET\n", "no_proxy, line 2: "),
    ])
    func `a file that is broken is told, and can be replaced`(
        configuration: String,
        list: String?,
        text: String
    ) async throws {
        folder.write(configuration, as: "redsocks.conf")
        if let list { folder.write(list, as: "no_proxy") }
        let proxy = proxy()
        let error = await failure { _ = try await proxy.get() }
        #expect(error?.reason == .failed)
        #expect(error?.message.firstRange(of: text) != nil)
        #expect(error?.message.firstRange(of: "SECRET") == nil)
        try await proxy.set(try Self.settings(1))
        #expect(try await proxy.get() == Self.settings(1))
    }

    @Test func `settings of the manifest are checked`() throws {
        #expect(
            try Proxy.Options(settings: [:]).files.configuration.path == "/etc/device-supervisor/proxy/redsocks.conf"
        )
        for settings in [
            ["ConfigFile": "a"], ["NoProxyFile": "/"], ["Program": "redsocks"], ["Unit": "redsocks"],
            ["Unit": "a b.service"],
            ["ConfigFile": "/a", "NoProxyFile": "/a"],
        ] {
            #expect(throws: PluginError.self) { try Proxy.Options(settings: settings) }
        }
    }
}
