import JSON

@testable import SupervisorCore
@testable import SupervisorEngine

/// Target states, and what containers and networks are made from them.
struct TargetStateTarget: FuzzTarget {
    private let builder = ContainerBuilder(
        identity: DeviceIdentity(
            uuid: String(repeating: "0", count: 32),
            deviceType: "generic",
            osVersion: "Linux",
            supervisorVersion: "1"
        ),
        apiKey: String(repeating: "1", count: 64),
        apiPort: 48484,
        directories: AppDirectories(dataDirectory: "/data", lockDirectory: "/locks")
    )

    func run(_ input: [UInt8]) {
        var parser = TargetParser()
        guard let (target, _) = try? parser.parse(input) else { return }
        for app in target.apps {
            for service in app.services {
                _ = builder.specification(app: app, service: service, host: "127.0.0.1").createBody.encoded()
            }
        }
    }
}
