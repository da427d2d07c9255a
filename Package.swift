// swift-tools-version: 6.2

import PackageDescription

/// The language features that every target of ours is built with. Warnings are errors where
/// SUPERVISOR_STRICT is set, as CI does.
let settings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ] + (Context.environment["SUPERVISOR_STRICT"] == nil ? [] : [.treatAllWarnings(as: .error)])

func ours(_ name: String, _ path: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/\(path)", swiftSettings: settings)
}

func program(_ name: String, _ path: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, path: "Sources/\(path)", swiftSettings: settings)
}

func tests(of name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    let own: [Target.Dependency] = [.target(name: name)]
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
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "supervisor",
    products: [
        .executable(name: "supervisor", targets: ["supervisor"]),
        .executable(name: "supervisorctl", targets: ["supervisorctl"]),
        .library(name: "SupervisorPluginAPI", targets: ["SupervisorPluginAPI"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    ],
    targets: [
        // What Swift cannot import by itself.
        .target(name: "CLinux", path: "Sources/supervisor/CLinux"),
        .systemLibrary(
            name: "CSystemd",
            path: "Sources/supervisor/CSystemd",
            providers: [.apt(["libsystemd-dev"])]
        ),

        // The contract with plugins; its JSON codec serves everything else too.
        ours("SupervisorPluginAPI", "SupervisorPluginAPI"),

        // The daemon's modules.
        ours("UnitFile", "supervisor/UnitFile"),
        ours("SupervisorSystemd", "supervisor/Systemd", ["CSystemd", "CLinux", logging]),
        ours("SupervisorReactor", "supervisor/Reactor", ["CLinux", "SupervisorCore", logging] + nio),
        ours("UnixHTTP", "supervisor/UnixHTTP", nio + [nioHTTP]),
        ours("SupervisorCore", "supervisor/Core", ["SupervisorPluginAPI", "CLinux", logging]),
        ours(
            "SupervisorEngine",
            "supervisor/Engine",
            ["SupervisorCore", "SupervisorPluginAPI", "UnixHTTP", logging] + nio
        ),
        ours(
            "SupervisorHTTP",
            "supervisor/HTTP",
            ["SupervisorCore", "SupervisorPluginAPI", "SupervisorReactor", "CLinux", logging, nioHTTP] + nio
        ),

        // The programs.
        program(
            "supervisor",
            "supervisor/App",
            [
                "SupervisorPluginAPI", "UnitFile", "SupervisorSystemd", "SupervisorReactor", "SupervisorCore",
                "SupervisorEngine", "SupervisorHTTP", "UnixHTTP", "CLinux", logging,
            ] + nio
        ),
        program(
            "supervisorctl",
            "supervisor/Control",
            ["SupervisorPluginAPI", "UnixHTTP", arguments, nioHTTP] + nio
        ),

        tests(of: "SupervisorPluginAPI"),
        tests(of: "UnitFile"),
        tests(of: "SupervisorSystemd", [logging]),
        tests(of: "SupervisorReactor", ["SupervisorCore"] + nio),
        tests(of: "UnixHTTP", nio + [nioHTTP]),
        tests(of: "SupervisorCore", ["SupervisorPluginAPI", "CLinux", logging]),
        tests(of: "SupervisorEngine", ["SupervisorPluginAPI", "SupervisorCore", "UnixHTTP", nioHTTP] + nio),
        tests(
            of: "SupervisorHTTP",
            ["SupervisorPluginAPI", "SupervisorCore", "SupervisorReactor", nioHTTP, nioEmbedded] + nio
        ),
        tests(of: "supervisor", ["UnitFile", "SupervisorCore"]),
        tests(of: "supervisorctl", ["SupervisorPluginAPI"]),
    ],
    swiftLanguageModes: [.v6]
)
