import JSON
import Testing

@testable import SupervisorCore

struct ContainerBuilderTests {
    private static let builder = ContainerBuilder(
        identity: Bench.identity,
        apiKey: String(repeating: "k", count: 64),
        apiPort: 48484,
        directories: AppDirectories(dataDirectory: "/d", lockDirectory: "/l")
    )

    private static func target(_ document: JSONValue) throws -> AppTarget {
        var parser = TargetParser()
        let target = try parser.parse(document)
        #expect(parser.warnings.isEmpty)
        return try #require(target.apps.first)
    }

    private static func app(_ extra: KeyValuePairs<String, JSONValue> = [:], commit: String = "c1") throws -> AppTarget
    {
        try target(Sample.target((2167, Sample.app("app:1", commit: commit, extra))))
    }

    private static func specification(
        _ app: AppTarget,
        _ builder: ContainerBuilder = builder,
        host: String = "127.0.0.1"
    ) throws -> ContainerSpecification {
        builder.specification(app: app, service: try #require(app.services.first), host: host)
    }

    private static func digest(
        _ app: AppTarget,
        _ builder: ContainerBuilder = builder,
        host: String = "127.0.0.1"
    ) throws -> String {
        try #require(try specification(app, builder, host: host).labels[ContainerLabel.configuration])
    }

    // MARK: Environment

    @Test func `a container gets every variable of ours in both spellings`() throws {
        let app = try Self.app(["network_mode": "bridge"])
        let ours = [
            "SUPERVISOR_ADDRESS": "http://172.17.0.1:48484",
            "SUPERVISOR_HOST": "172.17.0.1",
            "SUPERVISOR_PORT": "48484",
            "SUPERVISOR_API_KEY": String(repeating: "k", count: 64),
            "SUPERVISOR_VERSION": "6.6.11",
            "APP_ID": "2167",
            "APP_NAME": "my app",
            "APP_RELEASE": "c1",
            "APP_LOCK_PATH": "/tmp/balena/updates.lock",
            "DEVICE_UUID": String(repeating: "a", count: 32),
            "DEVICE_TYPE": "raspberrypi4-64",
            "HOST_OS_VERSION": "Debian GNU/Linux 12 (bookworm)",
            "SERVICE_NAME": "main",
            "DEVICE_ARCH": "amd64",
            "DEVICE_NAME_AT_INIT": "",
        ]
        var expected = [
            "RESIN": "1", "BALENA": "1", "USER": "root",
            "RESIN_SERVICE_KILL_ME_PATH": "/tmp/balena/handover-complete",
            "BALENA_SERVICE_HANDOVER_COMPLETE_PATH": "/tmp/balena/handover-complete",
        ]
        for (name, value) in ours {
            expected["RESIN_\(name)"] = value
            expected["BALENA_\(name)"] = value
        }
        #expect(try Self.specification(app, host: "172.17.0.1").environment == expected)
    }

    @Test func `the application's own variables are there, ours win`() throws {
        let app = try Self.app(["environment": ["MINE": "x", "RESIN_APP_ID": "9", "RESIN": "0"]])
        let environment = try Self.specification(app).environment
        #expect(environment["MINE"] == "x")
        #expect(environment["RESIN_APP_ID"] == "2167")
        #expect(environment["RESIN"] == "1")
    }

    // MARK: Binds and labels

    @Test func `data and the lock directory are bound, and what the target says after them`() throws {
        let app = try Self.app(["volumes": ["/run/dbus:/host/run/dbus:ro"]])
        #expect(
            try Self.specification(app).binds == [
                .init(source: "/d/2167", target: "/data"),
                .init(source: "/l/2167/main", target: "/tmp/balena"),
                .init(source: "/l/2167/main", target: "/tmp/resin"),
                .init(source: "/run/dbus", target: "/host/run/dbus", readOnly: true),
            ]
        )
    }

    @Test func `labels of the target are kept, and each of ours has a value, whatever the image has`() throws {
        let app = try Self.app(["labels": ["mine": "x"]])
        let labels = try Self.specification(app).labels
        #expect(labels["mine"] == "x")
        #expect(labels[ContainerLabel.app] == "2167")
        #expect(labels[ContainerLabel.appName] == "my app")
        #expect(labels[ContainerLabel.service] == "main")
        #expect(labels[ContainerLabel.serviceID] == "1")
        #expect(labels[ContainerLabel.commit] == "c1")
        #expect(labels[ContainerLabel.release] == "7")
        #expect(labels[ContainerLabel.configuration]?.utf8.count == 32)
        #expect(labels[ContainerLabel.multiService] == "false")
        #expect(labels[ContainerLabel.trial] == "" && labels[ContainerLabel.variables] == "")
    }

    @Test func `no label holds the key`() throws {
        let specification = try Self.specification(try Self.app())
        #expect(!specification.labels.values.contains { $0.contains(Self.builder.apiKey) })
        #expect(!specification.name.contains(Self.builder.apiKey))
    }

    @Test func `two versions of a service have two container names that the engine takes`() throws {
        let names = try ["c1", "c2"].map { try Self.specification(try Self.app(commit: $0)).name }
        #expect(names[0] != names[1])
        #expect(names[0].hasPrefix("main_2167_"))
        #expect(names.joined().utf8.allSatisfy { "abcdefghijklmnopqrstuvwxyz0123456789_".utf8.contains($0) })
    }

    @Test(arguments: CompositionTests.good)
    func `every compose key reaches the engine`(case good: CompositionTests.Good) throws {
        let app = try #require(try Sample.parse(Sample.document(service: good.members)).apps.first)
        let made = try Self.specification(app)
        let wanted = good.expected
        #expect(made.command == wanted.command)
        #expect(made.entrypoint == wanted.entrypoint)
        #expect(made.networkMode == (wanted.networks.isEmpty ? wanted.networkMode : "1_default"))
        #expect(made.networks.map(\.ipv4Address) == wanted.networks.map(\.ipv4Address))
        #expect(made.networks.map(\.aliases) == wanted.networks.map { ["main"] + $0.aliases })
        #expect(made.privileged == wanted.privileged)
        #expect(made.restartPolicy == wanted.restart)
        #expect(made.ports == wanted.ports)
        #expect(Array(made.binds.dropFirst(3)) == wanted.binds)
        #expect(made.devices == wanted.devices)
        #expect(made.capabilitiesAdded == wanted.capabilitiesAdded)
        #expect(made.capabilitiesDropped == wanted.capabilitiesDropped)
        #expect(made.tmpfs == wanted.tmpfs)
        #expect(made.workingDirectory == wanted.workingDirectory)
        #expect(made.user == wanted.user)
        #expect(made.hostname == wanted.hostname)
        #expect(made.groups == wanted.groups)
        #expect(made.extraHosts == wanted.extraHosts)
        #expect(made.dns == wanted.dns)
        #expect(made.securityOptions == wanted.securityOptions)
        #expect(made.sysctls == wanted.sysctls)
        #expect(made.stopSignal == wanted.stopSignal)
        #expect(made.stopTimeout == wanted.stopGracePeriod)
        #expect(made.initProcess == wanted.initProcess)
        #expect(made.readOnlyRoot == wanted.readOnlyRoot)
        #expect(made.terminal == wanted.terminal)
        #expect(made.openInput == wanted.openInput)
        #expect(made.pidMode == wanted.pidMode)
        #expect(made.ipcMode == wanted.ipcMode)
        #expect(made.memoryLimit == wanted.memoryLimit)
        #expect(made.sharedMemorySize == wanted.sharedMemorySize)
    }

    // MARK: Digest

    /// What a service waits for is no property of its container.
    @Test(arguments: CompositionTests.good.filter { !$0.members.contains("depends_on") })
    func `every compose key is part of the digest`(case good: CompositionTests.Good) throws {
        let plain = try #require(try Sample.parse(Sample.document(service: "")).apps.first)
        let app = try #require(try Sample.parse(Sample.document(service: good.members)).apps.first)
        #expect(try Self.digest(app) != Self.digest(plain))
    }

    @Test func `the image, a variable, a label and the commit are part of the digest`() throws {
        let digests = try [
            Self.app(),
            Self.app(commit: "c2"),
            Self.app(["image": "app:2"]),
            Self.app(["environment": ["A": "1"]]),
            Self.app(["environment": ["A": "2"]]),
            Self.app(["labels": ["a": "1"]]),
        ].map { try Self.digest($0) }
        #expect(Set(digests).count == digests.count)
    }

    @Test func `the key, the address, the port and the identity are part of the digest`() throws {
        let app = try Self.app()
        var builders = Array(repeating: Self.builder, count: 5)
        builders[1].apiKey = String(repeating: "m", count: 64)
        builders[2].apiPort = 80
        builders[3].identity.uuid = String(repeating: "f", count: 32)
        builders[4].identity.deviceType = "intel-nuc"
        var digests = try builders.map { try Self.digest(app, $0) }
        digests.append(try Self.digest(app, host: "172.17.0.1"))
        #expect(Set(digests).count == 6)
    }

    @Test func `an upgrade of the supervisor or of the host recreates nothing`() throws {
        var upgraded = Self.builder
        upgraded.identity.osVersion = "Debian GNU/Linux 13 (trixie)"
        upgraded.identity.supervisorVersion = "2.0.0"
        #expect(try Self.digest(try Self.app(), upgraded) == Self.digest(try Self.app()))
    }

    @Test func `whether a service runs is not part of the digest`() throws {
        let digests = try [Self.app(), Self.app(["running": false]), Self.app(["running": true])].map {
            try Self.digest($0)
        }
        #expect(Set(digests).count == 1)
    }

    @Test func `the order of members in the target file recreates nothing`() throws {
        let one = try Sample.parse(
            #"{"apps":{"1":{"commit":"c","name":"n","services":{"5":{"serviceName":"main","image":"i","#
                + #""environment":{"A":"1","B":"2"}}}}}}"#
        )
        let other = try Sample.parse(
            #"{"apps":{"1":{"name":"n","services":{"5":{"environment":{"B":"2","A":"1"},"image":"i","#
                + #""serviceName":"main"}},"commit":"c"}}}"#
        )
        #expect(try Self.digest(try #require(one.apps.first)) == Self.digest(try #require(other.apps.first)))
    }

    // MARK: Back from labels

    private static func container(_ specification: ContainerSpecification, id: String = "x") -> EngineContainer {
        let container = EngineContainer(
            id: id,
            name: specification.name,
            image: specification.image,
            imageID: "",
            labels: specification.labels,
            state: .running
        )
        // The image's own variables are among them.
        let environment = specification.environment.map { "\($0.key)=\($0.value)" } + ["PATH=/bin"]
        return DefinitionLabels.complete(container, environment: environment)
    }

    @Test func `the values of variables are in no label, and are read back from the container`() throws {
        let app = try Self.app([
            "environment": ["SECRET": "hush=hush", "N": 1.50, "B": true, "Z": nil, "E": "", "RESIN_APP_ID": "theirs"]
        ])
        let specification = try Self.specification(app)
        #expect(specification.labels.values.allSatisfy { !$0.contains("hush") })
        #expect(specification.environment["RESIN_APP_ID"] == "2167")
        let recovered = TargetState.recovered(from: [Self.container(specification)])
        #expect(recovered.apps == [app])
        #expect(try Self.digest(try #require(recovered.apps.first)) == Self.digest(app))
    }

    @Test func `a container of a former version has its variables in its label`() throws {
        let app = try Self.app(["environment": ["A": "1"]])
        var container = Self.container(try Self.specification(app))
        let definition = try #require(app.services.first?.definition)
        container.labels[ContainerLabel.definition] = JSONValue.object(definition).text
        #expect(TargetState.recovered(from: [container]).apps == [app])
    }

    @Test func `a container that lacks a variable of its definition cannot be read`() throws {
        let app = try Self.app(["environment": ["A": "1"]])
        var container = Self.container(try Self.specification(app))
        container.labels = try Self.specification(app).labels
        let complete = DefinitionLabels.complete(container, environment: ["B=1", "A"])
        #expect(TargetState.recovered(from: [complete]).apps.isEmpty)
    }

    @Test(arguments: CompositionTests.good)
    func `a lost target is read back from the labels as it was`(case good: CompositionTests.Good) throws {
        let target = try Sample.parse(Sample.document(service: good.members))
        let app = try #require(target.apps.first)
        let recovered = TargetState.recovered(from: [Self.container(try Self.specification(app))])
        #expect(recovered.apps == target.apps)
        let again = try #require(recovered.apps.first)
        #expect(try Self.digest(again) == Self.digest(app), "nothing would be made anew")
    }

    @Test func `a recovered target has its applications in order, whatever the order of containers`() throws {
        let apps = try [3, 1, 2].map { try Self.target(Sample.target(($0, Sample.app("app:\($0)")))) }
        let recovered = TargetState.recovered(from: try apps.map { Self.container(try Self.specification($0)) })
        #expect(recovered.apps.map(\.id.number) == [1, 2, 3])
        #expect(recovered.apps.map { $0.services.map(\.image) } == [["app:1"], ["app:2"], ["app:3"]])
    }

    @Test func `containers whose labels cannot be read are left out`() throws {
        let good = Self.container(try Self.specification(try Self.app()))
        func broken(_ name: String, _ value: String?) -> EngineContainer {
            var container = good
            container.labels[ContainerLabel.app] = "5"
            container.labels[name] = value
            return container
        }
        let recovered = TargetState.recovered(
            from: [
                broken(ContainerLabel.definition, nil), broken(ContainerLabel.definition, "{"),
                broken(ContainerLabel.definition, "[]"), broken(ContainerLabel.definition, #"{"image":"i"}"#),
                broken(ContainerLabel.serviceID, nil), broken(ContainerLabel.app, "app"),
                broken(ContainerLabel.app, nil), good,
            ]
        )
        #expect(recovered.apps.map(\.id.number) == [2167])
    }
}
