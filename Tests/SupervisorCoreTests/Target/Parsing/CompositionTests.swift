import Testing

@testable import SupervisorCore

/// The compose keys of a service, in every form in which they are taken.
struct CompositionTests {
    struct Good: Sendable, CustomTestStringConvertible {
        var members: String
        var expected: Composition

        init(_ members: String, _ change: (inout Composition) -> Void) {
            self.members = members
            expected = Composition()
            change(&expected)
        }

        var testDescription: String { members }
    }

    static let good: [Good] = [
        Good(#""command":["/bin/app","--flag","a b"]"#) { $0.command = ["/bin/app", "--flag", "a b"] },
        Good(#""command":"/bin/app  --flag 'a b' \"c d\" e\\ f ''""#) {
            $0.command = ["/bin/app", "--flag", "a b", "c d", "e f", ""]
        },
        Good(#""command":"""#) { $0.command = [] },
        Good(#""command":[]"#) { $0.command = [] },
        Good(#""command":["sleep",5,true]"#) { $0.command = ["sleep", "5", "true"] },
        Good(#""command":null"#) { $0.command = nil },
        Good(#""command":"sh -c 'a\\b'""#) { $0.command = ["sh", "-c", #"a\b"#] },
        Good(#""entrypoint":["/init"]"#) { $0.entrypoint = ["/init"] },
        Good(#""entrypoint":"/init -v""#) { $0.entrypoint = ["/init", "-v"] },
        Good(#""network_mode":"host""#) { $0.networkMode = "host" },
        Good(#""network_mode":"bridge""#) { $0.networkMode = "bridge" },
        Good(#""network_mode":"none""#) { $0.networkMode = "none" },
        Good(#""networks":["default"]"#) { $0.networks = [NetworkMembership(network: "default")] },
        Good(#""networks":{"default":null}"#) { $0.networks = [NetworkMembership(network: "default")] },
        Good(#""networks":{"default":{"aliases":["a"]}}"#) {
            $0.networks = [NetworkMembership(network: "default", aliases: ["a"])]
        },
        Good(#""depends_on":[]"#) { $0.dependencies = [] },
        Good(#""privileged":true"#) { $0.privileged = true },
        Good(#""restart":"no""#) { $0.restart = .no },
        Good(#""restart":false"#) { $0.restart = .no },
        Good(#""restart":"always""#) { $0.restart = .always },
        Good(#""restart":"unless-stopped""#) { $0.restart = .unlessStopped },
        Good(#""restart":"on-failure""#) { $0.restart = .onFailure(maximumRetries: nil) },
        Good(#""restart":"on-failure:3""#) { $0.restart = .onFailure(maximumRetries: 3) },
        Good(#""ports":["80"]"#) { $0.ports = [.init(host: nil, container: 80)] },
        Good(#""ports":[80]"#) { $0.ports = [.init(host: nil, container: 80)] },
        Good(#""ports":["8080:80","53:53/udp","9:9/sctp"]"#) {
            $0.ports = [
                .init(host: 8080, container: 80), .init(host: 53, container: 53, transport: "udp"),
                .init(host: 9, container: 9, transport: "sctp"),
            ]
        },
        Good(#""ports":["127.0.0.1:8080:80/tcp"]"#) {
            $0.ports = [.init(hostAddress: "127.0.0.1", host: 8080, container: 80)]
        },
        Good(#""ports":["127.0.0.1::80"]"#) { $0.ports = [.init(hostAddress: "127.0.0.1", host: nil, container: 80)] },
        Good(#""ports":["[::1]:65535:1"]"#) { $0.ports = [.init(hostAddress: "::1", host: 65535, container: 1)] },
        Good(#""volumes":["/run/dbus:/host/run/dbus"]"#) {
            $0.binds = [.init(source: "/run/dbus", target: "/host/run/dbus")]
        },
        Good(#""volumes":["/a:/b:ro","/c:/d:rw"]"#) {
            $0.binds = [.init(source: "/a", target: "/b", readOnly: true), .init(source: "/c", target: "/d")]
        },
        Good(#""devices":["/dev/i2c-1"]"#) { $0.devices = [.init(host: "/dev/i2c-1", container: "/dev/i2c-1")] },
        Good(#""devices":["/dev/ttyUSB0:/dev/modem","/dev/sda:/dev/x:r"]"#) {
            $0.devices = [
                .init(host: "/dev/ttyUSB0", container: "/dev/modem"),
                .init(host: "/dev/sda", container: "/dev/x", permissions: "r"),
            ]
        },
        Good(#""cap_add":["NET_ADMIN"],"cap_drop":["ALL"]"#) {
            $0.capabilitiesAdded = ["NET_ADMIN"]
            $0.capabilitiesDropped = ["ALL"]
        },
        Good(#""tmpfs":"/run""#) { $0.tmpfs = ["/run": ""] },
        Good(#""tmpfs":["/run:size=1m,mode=755","/tmp"]"#) { $0.tmpfs = ["/run": "size=1m,mode=755", "/tmp": ""] },
        Good(#""working_dir":"/srv""#) { $0.workingDirectory = "/srv" },
        Good(#""user":"app:app""#) { $0.user = "app:app" },
        Good(#""user":1000"#) { $0.user = "1000" },
        Good(#""hostname":"box""#) { $0.hostname = "box" },
        Good(#""group_add":["audio",44]"#) { $0.groups = ["audio", "44"] },
        Good(#""extra_hosts":["db:10.0.0.1"]"#) { $0.extraHosts = ["db:10.0.0.1"] },
        Good(#""dns":"9.9.9.9""#) { $0.dns = ["9.9.9.9"] },
        Good(#""dns":["9.9.9.9","1.1.1.1"]"#) { $0.dns = ["9.9.9.9", "1.1.1.1"] },
        Good(#""security_opt":["no-new-privileges"]"#) { $0.securityOptions = ["no-new-privileges"] },
        Good(#""sysctls":{"net.core.somaxconn":1024}"#) { $0.sysctls = ["net.core.somaxconn": "1024"] },
        Good(#""stop_signal":"SIGINT""#) { $0.stopSignal = "SIGINT" },
        Good(#""stop_signal":2"#) { $0.stopSignal = "2" },
        Good(#""stop_grace_period":30"#) { $0.stopGracePeriod = 30 },
        Good(#""stop_grace_period":"30""#) { $0.stopGracePeriod = 30 },
        Good(#""stop_grace_period":"1m30s""#) { $0.stopGracePeriod = 90 },
        Good(#""stop_grace_period":"1h""#) { $0.stopGracePeriod = 3600 },
        Good(#""stop_grace_period":"1500ms""#) { $0.stopGracePeriod = 2 },
        Good(#""stop_grace_period":"0s""#) { $0.stopGracePeriod = 0 },
        Good(#""init":true"#) { $0.initProcess = true },
        Good(#""init":false"#) { $0.initProcess = false },
        Good(#""read_only":true"#) { $0.readOnlyRoot = true },
        Good(#""tty":true,"stdin_open":true"#) {
            $0.terminal = true
            $0.openInput = true
        },
        Good(#""pid":"host""#) { $0.pidMode = "host" },
        Good(#""ipc":"host""#) { $0.ipcMode = "host" },
        Good(#""ipc":"private""#) { $0.ipcMode = "private" },
        Good(#""ipc":"shareable""#) { $0.ipcMode = "shareable" },
        Good(#""ipc":"none""#) { $0.ipcMode = "none" },
        Good(#""mem_limit":67108864"#) { $0.memoryLimit = 67_108_864 },
        Good(#""mem_limit":"64m""#) { $0.memoryLimit = 64 << 20 },
        Good(#""mem_limit":"512K""#) { $0.memoryLimit = 512 << 10 },
        Good(#""mem_limit":"10b""#) { $0.memoryLimit = 10 },
        Good(#""shm_size":"1gb""#) { $0.sharedMemorySize = 1 << 30 },
    ]

    @Test(arguments: good)
    func `a compose key means what the compose file says`(case good: Good) throws {
        let target = try Sample.parse(Sample.document(service: good.members))
        #expect(target.apps.first?.services.first?.composition == good.expected)
    }

    @Test func `the table has every key`() {
        for key in Composition.keys {
            #expect(Self.good.contains { $0.members.contains("\"\(key)\":") }, "\(key)")
        }
    }
}
