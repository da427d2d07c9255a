import Testing

@testable import SupervisorCore

/// What a target must not say: refused with its place, and with what it might have said.
struct TargetRefusalTests {
    struct Bad: Sendable, CustomTestStringConvertible {
        var text: String
        var place: String
        /// Part of the reason.
        var reason: String

        var testDescription: String { text }

        static func document(_ text: String, _ place: String, _ reason: String) -> Bad {
            Bad(text: text, place: place, reason: reason)
        }

        /// A member of an application that has no services.
        static func app(_ members: String, _ place: String, _ reason: String) -> Bad {
            Bad(text: #"{"apps":{"1":{\#(members)}}}"#, place: "apps.1" + place, reason: reason)
        }

        static func service(_ members: String, _ place: String, _ reason: String) -> Bad {
            Bad(text: Sample.document(service: members), place: "apps.1.services.5." + place, reason: reason)
        }

        /// An entry of a network's ipam configuration.
        static func subnet(_ members: String, _ place: String, _ reason: String) -> Bad {
            .app(
                #""commit":"c","services":{},"networks":{"lan":{"ipam":{"config":[{\#(members)}]}}}"#,
                ".networks.lan.ipam.config.0" + place,
                reason
            )
        }

        static func services(_ services: String, _ place: String, _ reason: String) -> Bad {
            .app(#""commit":"c","services":{\#(services)}"#, ".services" + place, reason)
        }
    }

    static let bad: [Bad] = [
        .document("[]", "the document", "expected an object, found a list"),
        .document("null", "the document", "expected an object, found null"),
        .document("", "line 1, column 1", ""),
        .document("{}", "apps", "is missing"),
        .document(#"{"apps":null}"#, "apps", "is missing"),
        .document(#"{"apps":[]}"#, "apps", "expected an object, found a list"),
        .document(#"{"apps":{},"name":5}"#, "name", "expected a string, found a number"),
        .document(#"{"apps":{},"config":{"A":[]}}"#, "config.A", "expected a string, found a list"),
        .document(#"{"apps":{"app":{}}}"#, "apps.app", "must consist of digits"),
        .document(#"{"apps":{"-1":{}}}"#, "apps.-1", "must consist of digits"),
        .document(#"{"apps":{"99999999999999999999":{}}}"#, "apps.99999999999999999999", "must consist of digits"),
        .document(
            #"{"apps":{"1":{"commit":"c","services":{}},"01":{"commit":"c","services":{}}}}"#,
            "apps.01",
            "listed twice"
        ),
        .document(#"{"apps":{"1":{"commit":"a","commit":"b"}}}"#, "line 1, column 28", ""),
        .app("", ".commit", "is missing"),
        .app(#""commit":5"#, ".commit", "expected a string"),
        .app(#""commit":"c""#, ".services", "is missing"),
        .app(#""commit":"c","services":[]"#, ".services", "expected an object"),
        .app(#""commit":"c","services":{},"releaseId":1.5"#, ".releaseId", "a string or a whole number"),
        .app(#""commit":"c","services":{},"volumes":["data"]"#, ".volumes", "expected an object, found a list"),
        .app(#""commit":"c","services":{},"volumes":{"a/b":{}}"#, ".volumes.a/b", "letters, digits, _ - and ."),
        .app(#""commit":"c","services":{},"volumes":{"a":{"external":true}}"#, ".volumes.a.external", "driver_opts"),
        .app(#""commit":"c","services":{},"networks":{"lan":{"driver":"macvlan"}}"#, ".networks.lan.driver", "bridge"),
        .app(#""commit":"c","services":{},"networks":{"lan":{"external":true}}"#, ".networks.lan.external", "ipam"),
        .app(
            #""commit":"c","services":{},"networks":{"lan":{"ipam":{"config":[{"gateway":"10.0.0.1"}]}}}"#,
            ".networks.lan.ipam.config.0.subnet",
            "is missing"
        ),
        .subnet(#""subnet":"10.0.0.0/33""#, ".subnet", "a subnet such as 10.1.0.0/24, found 10.0.0.0/33"),
        .subnet(#""subnet":"10.0.0.0""#, ".subnet", "a subnet such as 10.1.0.0/24"),
        .subnet(#""subnet":"10.0.0/24""#, ".subnet", "a subnet such as 10.1.0.0/24"),
        .subnet(#""subnet":"fd00::/129""#, ".subnet", "a subnet such as 10.1.0.0/24"),
        .subnet(#""subnet":"10.0.0.0/+8""#, ".subnet", "a subnet such as 10.1.0.0/24"),
        .subnet(
            #""subnet":"10.0.0.0/24","gateway":"10.0.1.1""#,
            ".gateway",
            "an address of 10.0.0.0/24, found 10.0.1.1"
        ),
        .subnet(#""subnet":"10.0.0.0/24","gateway":"here""#, ".gateway", "an address of 10.0.0.0/24, found here"),
        .subnet(#""subnet":"10.0.0.0/24","ip_range":"10.0.0.0/23""#, ".ip_range", "a part of 10.0.0.0/24"),
        .subnet(#""subnet":"10.0.0.0/24","ip_range":"fd00::/64""#, ".ip_range", "a part of 10.0.0.0/24"),
        .service(
            #""networks":{"default":{"ipv4_address":"10.0.0"}}"#,
            "networks.default.ipv4_address",
            "an IPv4 address, found 10.0.0"
        ),
        .service(
            #""networks":{"default":{"ipv4_address":"10.0.0.5"}}"#,
            "networks.default.ipv4_address",
            "10.0.0.5 is not in a subnet that the network default defines"
        ),
        .services(
            #""1":{"serviceName":"a","image":"i","depends_on":["b"]},"2":{"serviceName":"b","image":"i","depends_on":["a"]}"#,
            ".2.depends_on",
            "services wait for each other: a -> b -> a"
        ),
        .services(
            #""1":{"serviceName":"a","image":"i","depends_on":["a"]}"#,
            ".1.depends_on",
            "services wait for each other: a -> a"
        ),
        .services(#""1":{"serviceName":"a","image":"i"},"2":{"serviceName":"a","image":"i"}"#, ".2", "are called a"),
        .services(#""1":5"#, ".1", "expected an object"),
        .services(#""1":{"image":"i"}"#, ".1.serviceName", "is missing"),
        .services(#""1":{"serviceName":"a"}"#, ".1.image", "is missing"),
        .services(#""1":{"serviceName":"../up","image":"i"}"#, ".1.serviceName", "letters, digits, _ - and ."),
        .services(#""1":{"serviceName":"","image":"i"}"#, ".1.serviceName", "1 to 63"),
        // The engine refuses a container's name that starts so.
        .services(#""1":{"serviceName":"_a","image":"i"}"#, ".1.serviceName", "must start with a letter or a digit"),
        .services(
            #""1":{"serviceName":"\#(String(repeating: "x", count: 64))","image":"i"}"#,
            ".1.serviceName",
            "1 to 63"
        ),
        .services(#""1":{"serviceName":"a","image":"a b"}"#, ".1.image", "spaces or non-ASCII characters"),
        .services(#""1":{"serviceName":"a","image":""}"#, ".1.image", "must not be empty"),
        .service(#""running":"yes""#, "running", "true or false, found a string"),
        .service(#""imageId":[]"#, "imageId", "a string or a whole number"),
        .service(#""environment":["A=b"]"#, "environment", "expected an object, found a list"),
        .service(#""environment":{"A=":"b"}"#, "environment", "contain ="),
        .service(#""environment":{"":"b"}"#, "environment", "must not be empty"),
        .service(#""environment":{"A":{}}"#, "environment.A", "expected a string, found an object"),
        .service(#""environment":{"A":"x\u0000"}"#, "environment.A", "NUL"),
        .service(#""labels":[]"#, "labels", "expected an object"),
        .service(#""environment":{"X=\u0301":"b"}"#, "environment", "contain ="),
        .service(#""environment":{"é":"a","e\u0301":"b"}"#, "environment.e\u{301}", "another name differs"),
        .service(#""labels":{"io.supervisor.app-id":"9"}"#, "labels.io.supervisor.app-id", "belong to the supervisor"),
        .service(
            #""labels":{"io.supervisor.multi-service":"true"}"#,
            "labels.io.supervisor.multi-service",
            "only io.supervisor.healthy-after"
        ),
        .app(
            #""commit":"c","services":{},"volumes":{"v":{"labels":{"io.supervisor.volume":"x"}}}"#,
            ".volumes.v.labels.io.supervisor.volume",
            "belong to the supervisor"
        ),
        .service(#""volumes":["/etc:/data/"]"#, "volumes.0", "/data/ is reserved"),
        .service(#""volumes":["/etc://tmp/./x/../balena"]"#, "volumes.0", "is reserved"),
        .service(#""volumes":["/etc:\u0301/data"]"#, "volumes.0", "/HOST/PATH:/PATH[:ro|rw]"),
        .service(#""tmpfs":["/data:size=1m"]"#, "tmpfs", "/data is reserved"),
        .service(#""depends_on":{"\u0301":null}"#, "depends_on.\u{301}", "letters, digits, _ - and ."),
        .service(
            #""labels":{"io.balena.update.strategy":"handover"}"#,
            "labels.io.balena.update.strategy",
            "handover is not one of download-then-kill, kill-then-download, delete-then-download, hand-over"
        ),
        .service(
            #""labels":{"io.balena.update.handover-timeout":"1m"}"#,
            "labels.io.balena.update.handover-timeout",
            "whole milliseconds from 0 to 86400000, found 1m"
        ),
        .service(
            #""labels":{"io.resin.update.handover-timeout":-1}"#,
            "labels.io.resin.update.handover-timeout",
            "found -1"
        ),
        .service(
            #""labels":{"io.supervisor.healthy-after":0}"#,
            "labels.io.supervisor.healthy-after",
            "whole seconds from 1 to 3600, found 0"
        ),
        .service(#""networks":["lan"]"#, "networks", "the application has no network lan"),
        .service(#""networks":["lan","lan"]"#, "networks.1", "is listed twice"),
        .service(
            #""networks":{"default":{"alias":"x"}}"#,
            "networks.default.alias",
            "not one of aliases, ipv4_address"
        ),
        .service(#""networks":["default"],"network_mode":"host""#, "networks", "both network_mode and networks"),
        .service(#""depends_on":["db"]"#, "depends_on", "the application has no service db"),
        .service(
            #""depends_on":{"db":{"condition":"soon"}}"#,
            "depends_on.db.condition",
            "service_started, service_healthy"
        ),
        .service(#""volumes":["data:/var/lib/x"]"#, "volumes", "the application has no volume data"),
        .service(#""labels":{"io.resin.update.strategy":""}"#, "labels.io.resin.update.strategy", "download-then-kill"),
        .service(#""command":5"#, "command", "expected a list"),
        .service(#""command":"a 'b""#, "command", "a quote is not closed"),
        .service(#""command":"a \\""#, "command", "a quote is not closed"),
        .service(#""command":["a",[]]"#, "command.1", "expected a string"),
        .service(#""network_mode":"mine""#, "network_mode", "mine is not one of host, bridge, none"),
        .service(#""privileged":1"#, "privileged", "true or false"),
        .service(#""restart":"sometimes""#, "restart", "no, always, unless-stopped, on-failure, on-failure:COUNT"),
        .service(#""restart":"on-failure:-1""#, "restart", "on-failure:COUNT"),
        .service(#""restart":true"#, "restart", "expected a string, found a boolean"),
        .service(#""ports":"80""#, "ports", "expected a list"),
        .service(#""ports":["1","0:80"]"#, "ports.1", "[[ADDRESS:]HOST:]CONTAINER[/tcp|udp|sctp]"),
        .service(#""ports":["70000"]"#, "ports.0", "from 1 to 65535"),
        .service(#""ports":["8000-8010:80"]"#, "ports.0", "no ranges"),
        .service(#""ports":["80/icmp"]"#, "ports.0", "tcp|udp|sctp"),
        .service(#""ports":["80/tcp/udp"]"#, "ports.0", "tcp|udp|sctp"),
        .service(#""ports":[{"target":80}]"#, "ports.0", "a string or a whole number"),
        .service(#""volumes":["../x:/data2"]"#, "volumes.0", "letters, digits, _ - and ."),
        .service(#""volumes":["/a"]"#, "volumes.0", "/HOST/PATH:/PATH[:ro|rw] or VOLUME:/PATH[:ro|rw]"),
        .service(#""volumes":["/a:b"]"#, "volumes.0", "/HOST/PATH:/PATH[:ro|rw]"),
        .service(#""volumes":["/a:/b:z"]"#, "volumes.0", "[:ro|rw]"),
        .service(#""devices":["tty:/dev/tty"]"#, "devices.0", "/dev/NAME"),
        .service(#""devices":["/dev/a:/dev/b:rx"]"#, "devices.0", "permissions of r w m"),
        .service(#""cap_add":"NET_ADMIN""#, "cap_add", "expected a list"),
        .service(#""tmpfs":["run"]"#, "tmpfs", "not an absolute path"),
        .service(#""sysctls":[]"#, "sysctls", "expected an object"),
        .service(#""stop_grace_period":-1"#, "stop_grace_period", "from 0 to 1 h"),
        .service(#""stop_grace_period":"2h""#, "stop_grace_period", "from 0 to 1 h"),
        .service(#""stop_grace_period":"soon""#, "stop_grace_period", "such as 30s or 1m30s"),
        .service(#""stop_grace_period":"""#, "stop_grace_period", "such as 30s or 1m30s"),
        .service(#""pid":"container:x""#, "pid", "not one of host"),
        .service(#""ipc":"service:x""#, "ipc", "host, private, shareable, none"),
        .service(#""mem_limit":-1"#, "mem_limit", "such as 67108864, 64m or 1g"),
        .service(#""mem_limit":"64q""#, "mem_limit", "such as 67108864, 64m or 1g"),
        .service(#""mem_limit":"99999999999g""#, "mem_limit", "such as 67108864, 64m or 1g"),
        .service(#""user":{}"#, "user", "a string or a whole number"),
    ]

    @Test(arguments: bad)
    func `a wrong target is refused with its place and what is allowed`(case bad: Bad) throws {
        let error = try #require(throws: TargetError.self) { try Sample.parse(bad.text) }
        #expect(error.place == bad.place)
        #expect(error.reason.contains(bad.reason))
        #expect(error.description == "\(error.place): \(error.reason)")
    }

    @Test func `a document too deep to be a target is refused`() {
        let deep = String(repeating: "[", count: 40) + String(repeating: "]", count: 40)
        #expect(throws: TargetError.self) { try Sample.parse(#"{"apps":{},"x":\#(deep)}"#) }
    }
}
