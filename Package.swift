// swift-tools-version: 6.2

import PackageDescription

/// Set by scripts/fuzz. What libFuzzer is linked into has no other programs and no tests, since it brings a `main` of its own.
/// Only modules of ours are watched: with swift-nio's it would take twice the time for each input.
let isForFuzzing = Context.environment["SUPERVISOR_FUZZ"] != nil

/// The language features that every target of ours is built with. Warnings are errors where
/// SUPERVISOR_STRICT is set, as CI does.
let settings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ] + (Context.environment["SUPERVISOR_STRICT"] == nil ? [] : [.treatAllWarnings(as: .error)])
    + (isForFuzzing ? [.unsafeFlags(["-sanitize=fuzzer", "-enforce-exclusivity=unchecked"])] : [])

func ours(_ name: String, _ path: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/\(path)", swiftSettings: settings)
}

func program(_ name: String, _ path: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, path: "Sources/\(path)", swiftSettings: settings)
}

/// A plugin: its manifest stands beside its sources.
func plugin(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .executableTarget(
        name: "supervisor-plugin-\(name)",
        dependencies: ["SupervisorPluginAPI", "SupervisorVersion"] + dependencies,
        path: "Sources/plugins/\(name)",
        exclude: ["\(name).plugin"],
        swiftSettings: settings
    )
}

func tests(of name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    let own: [Target.Dependency] = [.target(name: name), "TestSupport"]
    let folder = name.split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    return .testTarget(
        name: "\(folder)Tests",
        dependencies: own + dependencies,
        path: "Tests/\(folder)Tests",
        swiftSettings: settings
    )
}

let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
]
let nioHTTP: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioWebSocket: Target.Dependency = .product(name: "NIOWebSocket", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")

let fuzzing: [Target] = [
    ours("RedsocksConfiguration", "plugins/redsocks/Configuration", ["SupervisorPluginAPI", "LinuxSupport"]),
    .executableTarget(
        name: "supervisor-fuzz",
        dependencies: [
            "HostOperations", "JSON", "LinuxSupport", "NATSClient", "NATSKeys", "RedsocksConfiguration",
            "SupervisorCore",
            "SupervisorEngine",
            "SupervisorEventLoop", "SupervisorHTTP", "SupervisorPluginAPI", "SupervisorPluginHost", "SupervisorPorts",
            "SupervisorSystemd", "UnitFile", "UnixHTTP", logging, nioHTTP, nioEmbedded,
        ] + nio,
        path: "Tests/Fuzzing",
        exclude: ["Seeds", "dictionary"],
        swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])],
        // gold gives up on libFuzzer's debug information.
        linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]
    ),
]

let package = Package(
    name: "supervisor",
    products: [
        .executable(name: "device-supervisor", targets: ["device-supervisor"]),
        .executable(name: "superctl", targets: ["superctl"]),
        .library(name: "SupervisorPluginAPI", targets: ["SupervisorPluginAPI"]),
        // For the fleet package.
        .library(name: "JSON", targets: ["JSON"]),
        .library(name: "NATSKeys", targets: ["NATSKeys"]),
        .library(name: "NATSClient", targets: ["NATSClient"]),
        .library(name: "SupervisorVersion", targets: ["SupervisorVersion"]),
        .library(name: "UnitFile", targets: ["UnitFile"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        // Its BoringSSL signs by Ed25519, through functions that are no API: another minor version is a decision.
        .package(url: "https://github.com/apple/swift-nio-ssl", .upToNextMinor(from: "2.37.6")),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    ],
    targets: [
        // What Swift cannot import by itself.
        .target(name: "CLinux", path: "Sources/Support/CLinux"),
        .target(name: "CEd25519", path: "Sources/Support/CEd25519"),
        .systemLibrary(
            name: "CSystemd",
            path: "Sources/Support/CSystemd",
            providers: [.apt(["libsystemd-dev"])]
        ),

        // Leaves: they know nothing of what a supervisor does.
        ours("SupervisorVersion", "Support/Version"),
        ours("JSON", "Support/JSON"),
        ours("LinuxSupport", "Support/LinuxSupport", ["CLinux"]),
        ours("UnitFile", "Support/UnitFile", ["LinuxSupport"]),
        ours("SupervisorPorts", "Support/Ports"),
        ours("SupervisorEventLoop", "Support/EventLoop", ["SupervisorPorts", "CLinux", logging] + nio),
        ours("UnixHTTP", "Support/UnixHTTP", nio + [nioHTTP]),
        ours("SupervisorCommandLine", "Support/CommandLine", ["CLinux"]),
        ours("NameResolution", "Support/NameResolution", nio),
        ours("NATSKeys", "Support/NATSKeys", ["CEd25519", "JSON", "LinuxSupport", nioSSL]),
        ours(
            "NATSClient",
            "Support/NATSClient",
            ["NATSKeys", "NameResolution", "JSON", "LinuxSupport", nioHTTP, nioWebSocket, nioSSL] + nio
        ),

        // The contract with plugins: the operations, and the SDK, which brings them and the codec along.
        ours("HostOperations", "Support/HostOperations", ["JSON", "LinuxSupport"]),
        ours("SupervisorPluginAPI", "SupervisorPluginAPI", ["HostOperations", "JSON", "LinuxSupport", "CLinux"]),

        // The daemon's modules.
        ours("SupervisorSystemd", "supervisor/Systemd", ["CSystemd", "LinuxSupport", "CLinux", logging]),
        ours(
            "SupervisorCore",
            "supervisor/Core",
            ["HostOperations", "JSON", "SupervisorPorts", "LinuxSupport", "CLinux", logging]
        ),
        ours(
            "SupervisorEngine",
            "supervisor/Engine",
            ["SupervisorCore", "JSON", "LinuxSupport", "SupervisorPorts", "UnixHTTP", logging] + nio
        ),
        ours(
            "SupervisorPluginHost",
            "supervisor/PluginHost",
            [
                "SupervisorCore", "SupervisorPluginAPI", "HostOperations", "JSON", "UnitFile", "SupervisorEventLoop",
                "SupervisorPorts", "LinuxSupport", "CLinux", logging,
            ] + nio
        ),
        ours(
            "SupervisorHTTP",
            "supervisor/HTTP",
            [
                "SupervisorCore", "JSON", "SupervisorEventLoop", "SupervisorPorts", "LinuxSupport", "CLinux", logging,
                nioHTTP,
            ] + nio
        ),

        // The programs.
        program(
            "device-supervisor",
            "supervisor/App",
            [
                "JSON", "UnitFile", "SupervisorSystemd", "SupervisorEventLoop", "SupervisorPorts", "SupervisorCore",
                "SupervisorEngine", "SupervisorPluginHost", "SupervisorHTTP", "SupervisorCommandLine",
                "SupervisorVersion", "LinuxSupport", "CLinux", logging,
            ] + nio
        ),
        program(
            "superctl",
            "supervisor/Control",
            ["SupervisorCommandLine", "JSON", "LinuxSupport", "SupervisorVersion", "UnixHTTP", "CLinux", nioHTTP] + nio
        ),

        // The plugins, what they share, and what their authors need.
        .systemLibrary(
            name: "CDBus",
            path: "Sources/plugins/Support/CDBus",
            pkgConfig: "dbus-1",
            providers: [.apt(["libdbus-1-dev"])]
        ),
        ours("DBus", "plugins/Support/DBus", ["CDBus", "SupervisorPluginAPI"]),
        plugin("logind", ["DBus"]),
        plugin("hostnamed", ["DBus"]),
        plugin("redsocks", ["DBus", "LinuxSupport", "CLinux"]),
        plugin("led", ["LinuxSupport", "CLinux"]),
        plugin("tcp-ping", ["LinuxSupport", "CLinux"]),
        plugin("storage", ["LinuxSupport"]),
        plugin(
            "uplink",
            [
                "CLinux", "JSON", "LinuxSupport", "NameResolution", "NATSClient", "NATSKeys", "SupervisorEventLoop",
                "SupervisorPorts", "UnitFile", "UnixHTTP", nioHTTP, nioSSL,
            ] + nio
        ),
        program(
            "supervisor-plugin-check",
            "plugins/check",
            ["SupervisorPluginAPI", "SupervisorCommandLine", "LinuxSupport", "CLinux"]
        ),
        // For tests alone.
        program(
            "supervisor-plugin-scripted",
            "plugins/scripted",
            ["SupervisorPluginAPI", "SupervisorVersion", "LinuxSupport"]
        ),

        // The other end in tests with the client of another project, and what is measured.
        .executableTarget(
            name: "supervisor-bus-probe",
            dependencies: ["NATSClient"] + nio,
            path: "Tests/Benchmarks/Bus",
            swiftSettings: settings
        ),
        // For scripts/bench alone.
        .executableTarget(
            name: "supervisor-planning-benchmark",
            dependencies: ["SupervisorCore"],
            path: "Tests/Benchmarks/Planning",
            swiftSettings: settings
        ),

        // What tests share. The core's are built without NIO, which is why the second one stands apart.
        .target(
            name: "TestSupport",
            dependencies: ["LinuxSupport", "CLinux"],
            path: "Tests/Support",
            swiftSettings: settings
        ),
        .target(
            name: "HTTPTestSupport",
            dependencies: ["TestSupport"] + nio,
            path: "Tests/HTTPSupport",
            swiftSettings: settings
        ),

        tests(of: "JSON"),
        tests(of: "LinuxSupport"),
        tests(of: "SupervisorPluginAPI"),
        tests(of: "UnitFile"),
        tests(of: "SupervisorSystemd", ["LinuxSupport", logging]),
        tests(of: "SupervisorEventLoop", ["SupervisorPorts", "CLinux"] + nio),
        tests(of: "UnixHTTP", ["HTTPTestSupport", nioHTTP] + nio),
        tests(of: "SupervisorCommandLine"),
        tests(of: "NATSKeys", ["JSON"]),
        tests(of: "NATSClient", ["NATSKeys", "JSON", nioSSL] + nio),
        tests(of: "SupervisorCore", ["HostOperations", "JSON", "SupervisorPorts", "LinuxSupport", "CLinux", logging]),
        tests(
            of: "SupervisorEngine",
            [
                "HTTPTestSupport", "JSON", "SupervisorCore", "SupervisorEventLoop", "SupervisorPorts", "UnixHTTP",
                nioHTTP,
            ] + nio
        ),
        tests(
            of: "SupervisorHTTP",
            [
                "HostOperations", "JSON", "LinuxSupport", "SupervisorCore", "SupervisorEventLoop", "SupervisorPorts",
                nioHTTP, nioEmbedded,
            ] + nio
        ),
        tests(
            of: "SupervisorPluginHost",
            [
                "SupervisorCore", "SupervisorPluginAPI", "UnitFile", "SupervisorEventLoop", "SupervisorPorts",
                "LinuxSupport", "CLinux", logging,
            ] + nio
        ),
        tests(of: "DBus", ["CDBus", "SupervisorPluginAPI"]),
        tests(of: "supervisor-plugin-logind", ["SupervisorPluginAPI", "DBus"]),
        tests(of: "supervisor-plugin-hostnamed", ["SupervisorPluginAPI", "DBus"]),
        tests(of: "supervisor-plugin-redsocks", ["SupervisorPluginAPI", "DBus"]),
        tests(of: "supervisor-plugin-led", ["SupervisorPluginAPI"]),
        tests(of: "supervisor-plugin-tcp-ping", ["SupervisorPluginAPI"]),
        tests(of: "supervisor-plugin-storage", ["SupervisorPluginAPI"]),
        tests(of: "supervisor-plugin-check", ["SupervisorCommandLine", "SupervisorPluginAPI"]),
        tests(
            of: "device-supervisor",
            ["UnitFile", "SupervisorCommandLine", "SupervisorCore", "SupervisorVersion", "JSON", logging]
        ),
        tests(of: "superctl", ["SupervisorCommandLine", "JSON", "LinuxSupport", "UnixHTTP"]),
    ],
    swiftLanguageModes: [.v6]
)

if isForFuzzing {
    package.products.removeAll()
    package.targets.removeAll { target in
        [.executable, .test].contains(target.type) || ["TestSupport", "HTTPTestSupport"].contains(target.name)
    }
    package.targets += fuzzing
}
