import Glibc
import NIOHTTP1
import NIOPosix
import SupervisorCore
import Testing
import UnixHTTP

@testable import SupervisorEngine

/// A running engine to test against. The suite makes its own image, and removes what it made.
///
/// `scripts/engine-test` starts an engine and a registry, and sets the variables:
///
/// - SUPERVISOR_TEST_ENGINE: the engine's unix socket; without it the suite is skipped.
/// - SUPERVISOR_TEST_PULL: an image of several layers, with a tag, that the engine can download.
/// - SUPERVISOR_TEST_BUSYBOX: a statically linked busybox; /usr/bin/busybox if not set (Debian: busybox-static).
enum RealEngine {
    static let socket = variable("SUPERVISOR_TEST_ENGINE")

    /// An image that the engine can download.
    static var remoteImage: String {
        get throws { try #require(variable("SUPERVISOR_TEST_PULL"), "run scripts/engine-test") }
    }

    /// Everything that the tests make carries this label and the name of this process.
    static let label = "io.supervisor.test"
    static let mark = "supervisor-test-\(getpid())"

    /// A statically linked busybox is the whole image.
    static let busybox = variable("SUPERVISOR_TEST_BUSYBOX") ?? "/usr/bin/busybox"

    static var engine: DockerEngine {
        get throws { ScriptedEngine.engine(try #require(socket)) }
    }

    /// The container's one program, with what busybox is asked for.
    static func specification(_ name: String, image: String, _ command: String...) -> ContainerSpecification {
        var specification = ContainerSpecification(name: "\(mark)-\(name)", image: image)
        specification.entrypoint = ["/busybox"]
        specification.command = command
        specification.labels = [label: mark]
        specification.networkMode = "none"
        specification.restartPolicy = .no
        return specification
    }

    /// Runs `body` with an image of this process's own, and removes that, all containers of it, and all networks and
    /// volumes of ours afterwards. `healthCheck` is a line of a Dockerfile.
    static func run(
        _ name: String,
        healthCheck: String? = nil,
        _ body: (DockerEngine, _ image: String) async throws -> Void
    ) async throws {
        let engine = try engine
        let image = "\(mark)-\(name):1"
        try await importBusybox(as: image, healthCheck)
        let outcome: Result<Void, any Error>
        do {
            try await body(engine, image)
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        for container in try await engine.containers(label: label) where container.image == image {
            try await engine.stop(container: container.id, timeout: .zero)
            try await engine.remove(container: container.id)
        }
        try await engine.remove(image: image)
        for network in try await engine.networks(label: label) where network.labels[label] == mark {
            try await engine.remove(network: network.id)
        }
        for volume in try await engine.volumes(label: label) where volume.labels[label] == mark {
            try await remove(volume: volume.name)
        }
        try outcome.get()
    }

    /// The supervisor itself never removes any.
    private static func remove(volume name: String) async throws {
        let client = UnixHTTPClient(path: try #require(socket), loop: MultiThreadedEventLoopGroup.singleton.next())
        let target = EnginePath(["volumes", name]).description
        let response = try await client.request(.DELETE, target, timeout: .seconds(60), limit: 1 << 16)
        try #require(response.isSuccess, "\(response.engineMessage)")
    }

    /// Calls `body` until it returns true, at most for half a minute.
    static func eventually(_ body: () async throws -> Bool) async throws -> Bool {
        let end = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < end {
            if try await body() { return true }
            try await Task.sleep(for: .milliseconds(50))
        }
        return false
    }

    /// `POST /images/create?fromSrc=-` with a tar archive of one file.
    private static func importBusybox(as image: String, _ healthCheck: String?) async throws {
        let client = UnixHTTPClient(path: try #require(socket), loop: MultiThreadedEventLoopGroup.singleton.next())
        let parts = image.split(separator: ":")
        let target = EnginePath(
            ["images", "create"],
            query: ["fromSrc": "-", "repo": String(parts[0]), "tag": String(parts[1]), "changes": healthCheck]
        )
        let response = try await client.request(
            .POST,
            target.description,
            headers: ["Content-Type": "application/x-tar"],
            body: archive(of: try contents(of: busybox), named: "busybox"),
            timeout: .seconds(60),
            limit: 1 << 16
        )
        try #require(response.isSuccess, "\(response.engineMessage)")
    }

    /// One executable file in the ustar format (tar(5)).
    private static func archive(of contents: [UInt8], named name: String) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) {
            header.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
        }
        func octal(_ number: Int, width: Int) -> String {
            let digits = String(number, radix: 8)
            return String(repeating: "0", count: width - digits.count) + digits
        }
        put(name, at: 0)
        put(octal(0o755, width: 7), at: 100)
        put(octal(0, width: 7), at: 108)
        put(octal(0, width: 7), at: 116)
        put(octal(contents.count, width: 11), at: 124)
        put(octal(0, width: 11), at: 136)
        put("        ", at: 148)
        put("0", at: 156)
        put("ustar\u{0}00", at: 257)
        put(octal(header.reduce(0) { $0 + Int($1) }, width: 6) + "\u{0} ", at: 148)
        let padding = (512 - contents.count % 512) % 512 + 1024
        return header + contents + [UInt8](repeating: 0, count: padding)
    }

    private static func contents(of path: String) throws -> [UInt8] {
        let file = try #require(fopen(path, "re"), "\(path) is needed, statically linked")
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&piece, 1, piece.count, file), count > 0 { bytes += piece[..<count] }
        return bytes
    }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}
