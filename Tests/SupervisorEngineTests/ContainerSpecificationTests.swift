import JSON
import SupervisorCore
import Testing

@testable import SupervisorEngine

@Suite("The body that creates a container")
struct ContainerSpecificationTests {
    @Test("has only what the specification says")
    func minimal() {
        let specification = ContainerSpecification(name: "app", image: "busybox:1")
        let expected =
            #"{"Image":"busybox:1","Env":[],"Labels":{},"#
            + #""HostConfig":{"NetworkMode":"host","RestartPolicy":{"Name":"always"}}}"#
        #expect(specification.createBody.text == expected)
    }

    @Test("has everything that the specification says, in the engine's words")
    func complete() throws {
        var specification = ContainerSpecification(name: "app", image: "app@sha256:0")
        specification.command = ["run", "it"]
        specification.entrypoint = []
        specification.environment = ["B": "2=2", "A": "1", "C": ""]
        specification.labels = ["z": "1", "io.a": "ä"]
        specification.binds = [
            .init(source: "/data/1", target: "/data"),
            .init(source: "cache", target: "/cache", readOnly: true),
            .init(source: "/run/a:b", target: "/tmp/x", readOnly: true),
            .init(source: "plain", target: "/plain"),
        ]
        specification.networkMode = "apps"
        specification.ports = [
            .init(host: 8080, container: 80),
            .init(hostAddress: "127.0.0.1", host: 8081, container: 80),
            .init(host: nil, container: 53, transport: "udp"),
        ]
        specification.devices = [.init(host: "/dev/ttyS0", container: "/dev/tty1", permissions: "rw")]
        specification.privileged = true
        specification.capabilitiesAdded = ["NET_ADMIN"]
        specification.capabilitiesDropped = ["ALL"]
        specification.restartPolicy = .onFailure(maximumRetries: 3)
        specification.tmpfs = ["/tmp": "size=1m", "/run": ""]
        specification.workingDirectory = "/w"
        specification.user = "1000:1000"
        specification.hostname = "h"
        specification.groups = ["dialout"]
        specification.extraHosts = ["a:1.2.3.4"]
        specification.dns = ["9.9.9.9"]
        specification.securityOptions = ["no-new-privileges"]
        specification.sysctls = ["net.a": "1"]
        specification.stopSignal = "SIGINT"
        specification.stopTimeout = 30
        specification.initProcess = false
        specification.readOnlyRoot = true
        specification.terminal = true
        specification.openInput = true
        specification.pidMode = "host"
        specification.ipcMode = "shareable"
        specification.memoryLimit = 1 << 26
        specification.sharedMemorySize = 1 << 20

        let expected = try JSONValue(
            parsing: #"""
                {"Image":"app@sha256:0","Cmd":["run","it"],"Entrypoint":[],"Env":["A=1","B=2=2","C="],
                 "Labels":{"io.a":"ä","z":"1"},"WorkingDir":"/w","User":"1000:1000","Hostname":"h",
                 "StopSignal":"SIGINT","StopTimeout":30,"Tty":true,"OpenStdin":true,
                 "ExposedPorts":{"80/tcp":{},"53/udp":{}},
                 "HostConfig":{
                  "NetworkMode":"apps","RestartPolicy":{"Name":"on-failure","MaximumRetryCount":3},
                  "Binds":["cache:/cache:ro","plain:/plain"],
                  "Mounts":[{"Type":"bind","Source":"/data/1","Target":"/data"},
                            {"Type":"bind","Source":"/run/a:b","Target":"/tmp/x","ReadOnly":true}],
                  "Tmpfs":{"/run":"","/tmp":"size=1m"},"ReadonlyRootfs":true,
                  "PortBindings":{"80/tcp":[{"HostIp":"","HostPort":"8080"},{"HostIp":"127.0.0.1","HostPort":"8081"}],
                                  "53/udp":[{"HostIp":"","HostPort":""}]},
                  "Devices":[{"PathOnHost":"/dev/ttyS0","PathInContainer":"/dev/tty1","CgroupPermissions":"rw"}],
                  "Privileged":true,"CapAdd":["NET_ADMIN"],"CapDrop":["ALL"],"GroupAdd":["dialout"],
                  "ExtraHosts":["a:1.2.3.4"],"Dns":["9.9.9.9"],"SecurityOpt":["no-new-privileges"],
                  "Sysctls":{"net.a":"1"},"Init":false,"PidMode":"host","IpcMode":"shareable",
                  "Memory":67108864,"ShmSize":1048576}}
                """#
        )
        #expect(specification.createBody.text == expected.text)
    }

    @Test("has the first network, with its aliases and address; the others come later")
    func networks() {
        var specification = ContainerSpecification(name: "app", image: "x")
        specification.networkMode = "7_front"
        specification.networks = [
            .init(network: "7_front", aliases: ["web", "www"], ipv4Address: "172.30.0.9"),
            .init(network: "7_back", aliases: ["web"]),
        ]
        let body = specification.createBody
        #expect(body["HostConfig"]?["NetworkMode"] == "7_front")
        #expect(
            body["NetworkingConfig"]?.text
                == #"{"EndpointsConfig":{"7_front":{"Aliases":["web","www"],"IPAMConfig":{"IPv4Address":"172.30.0.9"}}}}"#
        )
        #expect(specification.networks[1].endpoint.text == #"{"Aliases":["web"]}"#)
    }

    @Test(
        "names the restart policy",
        arguments: [
            (ContainerSpecification.RestartPolicy.no, #"{"Name":"no"}"#),
            (.always, #"{"Name":"always"}"#),
            (.unlessStopped, #"{"Name":"unless-stopped"}"#),
            (.onFailure(maximumRetries: nil), #"{"Name":"on-failure","MaximumRetryCount":0}"#),
        ]
    )
    func restartPolicy(policy: ContainerSpecification.RestartPolicy, expected: String) {
        var specification = ContainerSpecification(name: "app", image: "x")
        specification.restartPolicy = policy
        #expect(specification.createBody["HostConfig"]?["RestartPolicy"]?.text == expected)
    }
}
