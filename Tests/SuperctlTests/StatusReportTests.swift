import JSON
import Testing

@testable import superctl

struct StatusReportTests {
    private static func report(_ json: String) throws -> String {
        StatusReport(try JSONValue(parsing: json)).text(now: 1_700_007_200)
    }

    @Test func `a healthy device fits on a few lines`() throws {
        let text = try Self.report(
            """
            {"supervisor":{"version":"0.1.0","pid":123,"uptimeSec":90061},
             "device":{"name":"kitchen","uuid":"0123456789abcdef0123456789abcdef","type":"raspberrypi3",
                       "osVersion":"Debian GNU/Linux 12 (bookworm)","apiPort":48484,"ipAddress":"192.168.0.114"},
             "engine":{"state":"connected","name":"docker","version":"20.10.24","apiVersion":"1.41",
                       "socket":"/var/run/docker.sock","error":null,"sinceSec":12},
             "health":{"healthy":true,"ailment":null},
             "update":{"status":"Idle","downloadProgress":null,"pending":false,"downloaded":false,"failed":false,
                       "error":null,"nextAttemptSec":null,"targetFile":"/var/lib/device-supervisor/apps.json",
                       "targetError":null},
             "apps":[{"appId":2167,"name":"demo","commit":"abcdef0123456789","targetCommit":"abcdef0123456789",
                      "services":[{"serviceName":"main","image":"demo:1",
                                   "containerId":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                                   "state":"running","crashLooping":false,"exitCode":null}]}],
             "locks":[]}
            """
        )
        #expect(
            text == """
                Device      kitchen, raspberrypi3, 0123456789abcdef0123456789abcdef
                System      Debian GNU/Linux 12 (bookworm)
                Address     192.168.0.114, API port 48484
                Health      healthy
                Engine      docker 20.10.24 (API 1.41), connected for 12 s, /var/run/docker.sock
                Update      Idle
                Target      /var/lib/device-supervisor/apps.json
                Supervisor  0.1.0, up 1 d 1 h, pid 123

                App 2167 demo, release abcdef012345
                  main  running  0123456789ab  demo:1

                No update lock is held.
                """
        )
    }

    @Test func `whatever is wrong stands out`() throws {
        let text = try Self.report(
            """
            {"supervisor":{"version":"0.1.0","pid":7,"uptimeSec":17},
             "device":{"name":"","uuid":"0123456789abcdef0123456789abcdef","type":"","osVersion":"","apiPort":48484,
                       "ipAddress":""},
             "engine":{"state":"away","name":"","version":"","apiVersion":"","socket":"/var/run/docker.sock",
                       "error":"cannot connect: No such file or directory","sinceSec":185},
             "health":{"healthy":false,"ailment":"the engine has been away for 185 s"},
             "update":{"status":"Downloading","downloadProgress":42,"pending":true,"downloaded":false,"failed":true,
                       "error":"no such image: demo:2","nextAttemptSec":12,
                       "targetFile":"/var/lib/device-supervisor/apps.json","targetError":"line 3, column 7: a comma is missing"},
             "apps":[{"appId":1,"name":"one","commit":"aaa","targetCommit":"bbb","services":[
                        {"serviceName":"main","image":"one:1","containerId":"0123456789abcdef","state":"restarting",
                         "crashLooping":true,"exitCode":137},
                        {"serviceName":"database","image":"postgres","containerId":null,"state":"missing",
                         "crashLooping":false,"exitCode":null}]},
                     {"appId":22,"name":"two","commit":null,"targetCommit":"ccc","services":[]}],
             "locks":[{"appId":1,"service":"main","path":"/run/device-supervisor-locks/1/main/updates.lock","holder":"uid 0",
                       "since":1700000000,"reason":null},
                      {"appId":22,"service":null,"path":"/data/22/resin-updates.lock","holder":"uid 1000",
                       "since":1700007190,"reason":"Permission denied"}]}
            """
        )
        #expect(
            text == """
                Device      0123456789abcdef0123456789abcdef
                Address     API port 48484
                Health      UNHEALTHY: the engine has been away for 185 s
                Engine      AWAY for 3 min: cannot connect: No such file or directory
                            /var/run/docker.sock
                Update      Downloading 42 %, update pending
                            FAILED: no such image: demo:2
                            next attempt in 12 s
                Target      /var/lib/device-supervisor/apps.json
                            FAILED: line 3, column 7: a comma is missing
                            what is wrong there stays as it was
                Supervisor  0.1.0, up 17 s, pid 7

                App 1 one, release aaa, to become bbb
                  main      restarting (137), CRASH LOOP  0123456789ab  one:1
                  database  missing                       -             postgres

                App 22 two, no release yet, to become ccc

                Update locks
                  APP  SERVICE  HELD BY   FOR   PATH
                  1    main     uid 0     2 h   /run/device-supervisor-locks/1/main/updates.lock
                  22   (all)    uid 1000  10 s  /data/22/resin-updates.lock (Permission denied)
                """
        )
    }

    @Test(arguments: ["{}", "[]", "null", #"{"apps":[{}],"locks":[{}],"update":{"downloadProgress":1e99}}"#])
    func `an answer with nothing in it is shown without a fault`(json: String) throws {
        let text = try Self.report(json)
        #expect(
            text.hasPrefix("Device      -\nAddress     -\nHealth      UNHEALTHY: no reason given\nEngine      AWAY\n")
        )
    }

    @Test(
        arguments: [
            ("null", nil), (#"{"enabled":false,"connected":null}"#, "not watched"),
            (#"{"enabled":true,"connected":null}"#, "not known yet"),
            (#"{"enabled":true,"connected":true}"#, "connected"),
            (#"{"enabled":true,"connected":false}"#, "OFFLINE: the heartbeat is not answered"),
        ] as [(String, String?)]
    )
    func `connectivity is shown where something tells of it`(json: String, shown: String?) throws {
        let text = try Self.report(#"{"connectivity":\#(json)}"#)
        if let shown {
            #expect(text.contains("\nNetwork     \(shown)\n"))
        } else {
            #expect(!text.contains("Network"))
        }
    }

    @Test(
        arguments: [
            ("null", nil),
            (
                #"{"kind":"reboot","phase":"waiting","sinceSec":12}"#,
                "reboot under way: waiting for operations and update locks to end (12 s)"
            ),
            (
                #"{"kind":"power-off","phase":"stopping","sinceSec":190}"#,
                "power-off under way: stopping applications (3 min)"
            ),
            (
                #"{"kind":"reboot","phase":"unknown","sinceSec":60}"#,
                "reboot under way: whether the system has accepted is NOT KNOWN (1 min)"
            ),
            (#"{"kind":"reboot","phase":"new","sinceSec":0}"#, "reboot under way: new (0 s)"),
            ("{}", "- under way: -"),
        ] as [(String, String?)]
    )
    func `a reboot or shutdown is shown while it is under way`(json: String, shown: String?) throws {
        let text = try Self.report(#"{"power":\#(json)}"#)
        if let shown {
            #expect(text.contains("\nPower       \(shown)\n"))
        } else {
            #expect(!text.contains("Power"))
        }
    }

    @Test func `a name cannot speak to the terminal`() throws {
        let text = try Self.report(#"{"apps":[{"appId":1,"name":"\u001b[2Jx\u0007\u009b","services":[]}]}"#)
        #expect(text.contains("App 1 \u{FFFD}[2Jx\u{FFFD}\u{FFFD}, no release"))
    }
}
