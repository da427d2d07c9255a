import Glibc
import LinuxSupport
import TestSupport

@testable import SupervisorCore

/// An engine in memory that does what the real one does, and fails, hangs or goes away when it is told to.
///
/// `@unchecked Sendable`: only used on the test's one thread.
final class FakeEngine: ContainerEngine, @unchecked Sendable {
    enum Operation: Hashable {
        case ping, list, inspect, create, start, stop, remove, image, pull, removeImage, gateway
        case networks, createNetwork, removeNetwork, volumes, createVolume, logs
    }

    /// What changed something or tried to, in order: "create 1/main".
    private(set) var calls: [String] = []
    /// Newest first, as the real one lists them.
    var containers: [EngineContainer] = []
    private(set) var specifications: [String: ContainerSpecification] = [:]
    var images: Set<String> = []
    /// The ids of images by name, where they are not made of the name.
    var imageIDs: [String: String] = [:]
    /// Images that came from their registry.
    var fromRegistry: Set<String> = []
    /// What a download makes of an image's id.
    var pushed: [String: String] = [:]
    var gateways: [String: String] = ["bridge": "172.17.0.1"]
    var networks: [EngineNetwork] = []
    /// The names of containers on a network, by its id, that are none of the supervisor's.
    var strangers: [String: [String]] = [:]
    var volumes: [EngineVolume] = []
    /// What every container has as inspected.
    var exitCode: Int?
    var restartCount = 0
    /// What containers have written.
    var lines: [EngineLogLine] = []
    private(set) var logRequests: [(id: String, tail: Int, isSince: Bool, follow: Bool)] = []
    private var followers:
        [Int: (
            id: String, handle: @Sendable (EngineLogLine) -> Void, continuation: CheckedContinuation<Void, Never>
        )] = [:]
    /// Called for everything that `calls` notes.
    var onCall: (String) -> Void = { _ in }
    /// Why a container cannot be started.
    var refuseStart: (ContainerSpecification) -> EngineError? = { _ in nil }
    /// Why a container cannot be made.
    var refuseCreate: (ContainerSpecification) -> EngineError? = { _ in nil }
    /// Called before a container starts.
    var onStart: (ContainerSpecification) -> Void = { _ in }
    /// The next failure takes the engine with it.
    var goesAwayAfterFailure = false
    private var failures: [Operation: [EngineError]] = [:]
    private var held: Set<Operation> = []
    private var waiting: [(number: Int, operation: Operation, continuation: CheckedContinuation<Bool, Never>)] = []
    private var progress: (@Sendable (Double) -> Void)?
    private var nextNumber = 0
    private var isAway = false
    private var handle: (@Sendable (EngineEvent) -> Void)?
    private var stream: CheckedContinuation<EngineError?, Never>?

    // MARK: Telling it what to do

    /// The next call of this kind fails, and the one after it with the next error.
    func fail(_ operation: Operation, _ errors: EngineError...) { failures[operation, default: []] += errors }

    func failuresLeft(_ operation: Operation) -> Int { failures[operation]?.count ?? 0 }

    /// Calls of this kind wait from now on.
    func hold(_ operation: Operation) { held.insert(operation) }

    /// Calls of this kind go on.
    func release(_ operation: Operation) {
        held.remove(operation)
        let freed = waiting.filter { $0.operation == operation }
        waiting.removeAll { $0.operation == operation }
        for call in freed { call.continuation.resume(returning: true) }
    }

    func isWaiting(in operation: Operation) -> Bool { waiting.contains { $0.operation == operation } }

    func reportProgress(_ percentage: Double) { progress?(percentage) }

    func goAway() {
        isAway = true
        endEvents(EngineError(.unavailable, "connection refused"))
    }

    func comeBack() { isAway = false }

    func endEvents(_ error: EngineError? = nil) {
        handle = nil
        stream?.resume(returning: error)
        stream = nil
    }

    func forgetCalls() { calls = [] }

    /// A container's process ends by itself, and the engine does not start it again.
    func die(_ id: String, exitCode: Int = 1) {
        change(id, .exited)
        emit(id, "die", exitCode)
    }

    func change(_ id: String, _ state: ContainerState) {
        guard let index = containers.firstIndex(where: { $0.id == id }) else { return }
        containers[index].state = state
        guard !state.isAlive || state == .restarting else { return }
        for (number, follower) in followers where follower.id == id {
            followers[number] = nil
            follower.continuation.resume()
        }
    }

    /// A container writes a line.
    func write(_ id: String, _ text: String) {
        lines.append(EngineLogLine(isError: false, text: text))
        for follower in followers.values where follower.id == id {
            follower.handle(EngineLogLine(isError: false, text: text))
        }
    }

    // MARK: ContainerEngine

    func ping() async throws(EngineError) -> EngineInformation {
        try await pass(.ping)
        return EngineInformation(name: "docker", version: "20.10.24", apiVersion: "1.41")
    }

    func containers(label: String) async throws(EngineError) -> [EngineContainer] {
        try await pass(.list)
        return containers.filter { $0.labels[label] != nil }
    }

    func inspect(container id: String) async throws(EngineError) -> EngineContainerDetail? {
        try await pass(.inspect)
        guard let container = containers.first(where: { $0.id == id }) else { return nil }
        return EngineContainerDetail(
            container: container,
            environment: [],
            exitCode: exitCode,
            restartCount: restartCount,
            error: ""
        )
    }

    func create(_ specification: ContainerSpecification) async throws(EngineError) -> String {
        try await pass(.create, "create \(Self.name(specification.labels))")
        if let error = refuseCreate(specification) { throw error }
        guard try await image(specification.image) != nil else {
            throw EngineError(.notFound, "no such image: \(specification.image)")
        }
        guard !containers.contains(where: { $0.name == specification.name }) else {
            throw EngineError(.conflict, "the name \(specification.name) is in use")
        }
        for bind in specification.binds {
            let isThere =
                bind.source.hasPrefix("/")
                ? TestFile.exists(bind.source) : volumes.contains { $0.name == bind.source }
            guard isThere else { throw EngineError(.invalid, "bind source does not exist: \(bind.source)") }
        }
        for attachment in specification.networks where !networks.contains(where: { $0.name == attachment.network }) {
            throw EngineError(.notFound, "network \(attachment.network) not found")
        }
        let id = add(specification, .created)
        emit(id, "create")
        return id
    }

    func start(container id: String) async throws(EngineError) -> Bool {
        let container = try await find(id, .start, "start")
        guard container.state != .running else { return false }
        guard container.state != .paused else { throw EngineError(.conflict, "the container is paused") }
        if let specification = specifications[id] {
            if let error = refuseStart(specification) { throw error }
            onStart(specification)
        }
        change(id, .running)
        emit(id, "start")
        return true
    }

    func stop(container id: String, timeout: Duration?) async throws(EngineError) {
        let container = try await find(id, .stop, "stop")
        guard container.state.isAlive else { return }
        change(id, .exited)
        emit(id, "die", 143)
    }

    func remove(container id: String) async throws(EngineError) {
        let container: EngineContainer
        do throws(EngineError) {
            container = try await find(id, .remove, "remove")
        } catch {
            if error.code == .notFound { return }
            throw error
        }
        guard !container.state.isAlive else { throw EngineError(.conflict, "the container runs") }
        containers.removeAll { $0.id == id }
        emit(id, "destroy", labels: container.labels)
    }

    func image(_ reference: String) async throws(EngineError) -> EngineImage? {
        try await pass(.image)
        if let (name, _) = imageIDs.first(where: { $0.value == reference }) {
            return EngineImage(id: reference, tags: [name], digests: [])
        }
        if reference.hasPrefix("sha256:"), images.contains(String(reference.dropFirst("sha256:".count))) {
            return EngineImage(id: reference, tags: [], digests: [])
        }
        guard images.contains(reference) else { return nil }
        let name = String(reference.prefix { $0 != ":" })
        return EngineImage(
            id: imageID(reference),
            tags: [reference],
            digests: fromRegistry.contains(reference) ? ["\(name)@sha256:0"] : []
        )
    }

    private func imageID(_ name: String) -> String { imageIDs[name] ?? "sha256:\(name)" }

    func pull(
        _ reference: String,
        credentials: RegistryCredentials?,
        progress: @escaping @Sendable (Double) -> Void
    ) async throws(EngineError) {
        self.progress = progress
        defer { self.progress = nil }
        try await pass(.pull, "pull \(reference)")
        images.insert(reference)
        if let id = pushed[reference] { imageIDs[reference] = id }
    }

    func remove(image reference: String) async throws(EngineError) {
        try await pass(.removeImage, "remove image \(reference)")
        guard !containers.contains(where: { $0.image == reference }) else {
            throw EngineError(.conflict, "the image is in use")
        }
        images.remove(reference)
    }

    func gateway(network: String) async throws(EngineError) -> String? {
        try await pass(.gateway)
        return gateways[network]
    }

    func networks(label: String?) async throws(EngineError) -> [EngineNetwork] {
        try await pass(.networks)
        return networks.filter { network in label.map { network.labels[$0] != nil } ?? true }
    }

    func containers(onNetwork id: String) async throws(EngineError) -> [String] {
        try await pass(.networks)
        let name = networks.first { $0.id == id }?.name ?? ""
        return containers.filter { $0.state == .running && $0.networks[name] != nil }.map(\.name)
            + (strangers[id] ?? [])
    }

    func create(_ specification: NetworkSpecification) async throws(EngineError) -> String {
        try await pass(.createNetwork, "create network \(specification.name)")
        guard !networks.contains(where: { $0.name == specification.name || $0.bridge == specification.bridge }) else {
            throw EngineError(.conflict, "the network \(specification.name) is there already")
        }
        let blocks = specification.subnets.compactMap { AddressBlock(subnet: $0.subnet) }
        for text in networks.flatMap(\.subnets) {
            guard let taken = AddressBlock(subnet: text), blocks.contains(where: { $0.overlaps(taken) }) else {
                continue
            }
            throw EngineError(.failed, "Pool overlaps with other one on this address space")
        }
        nextNumber += 1
        let network = EngineNetwork(
            id: "network-\(nextNumber)",
            name: specification.name,
            labels: specification.labels,
            bridge: specification.bridge,
            gateway: "172.18.\(nextNumber % 256).1",
            subnets: specification.subnets.map(\.subnet)
        )
        networks.append(network)
        return network.id
    }

    func remove(network id: String) async throws(EngineError) {
        guard let network = networks.first(where: { $0.id == id }) else { return }
        try await pass(.removeNetwork, "remove network \(network.name)")
        guard !containers.contains(where: { $0.state.isAlive && $0.networks[network.name] != nil }) else {
            throw EngineError(.conflict, "the network has active endpoints")
        }
        networks.removeAll { $0.id == id }
    }

    func volumes(label: String?) async throws(EngineError) -> [EngineVolume] {
        try await pass(.volumes)
        return volumes.filter { volume in label.map { volume.labels[$0] != nil } ?? true }
    }

    func create(_ specification: VolumeSpecification) async throws(EngineError) {
        try await pass(.createVolume, "create volume \(specification.name)")
        guard !volumes.contains(where: { $0.name == specification.name }) else { return }
        volumes.append(EngineVolume(name: specification.name, labels: specification.labels))
    }

    func logs(
        container id: String,
        tail: Int,
        since: Duration?,
        follow: Bool,
        handle: @escaping @Sendable (EngineLogLine) -> Void
    ) async throws(EngineError) {
        try await pass(.logs)
        logRequests.append((id, tail, since != nil, follow))
        for line in (since == nil ? lines.suffix(tail) : []) { handle(line) }
        guard follow, containers.contains(where: { $0.id == id && $0.state.isAlive }) else { return }
        nextNumber += 1
        let number = nextNumber
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if Task.isCancelled { return continuation.resume() }
                followers[number] = (id, handle, continuation)
            }
        } onCancel: {
            self.followers.removeValue(forKey: number)?.continuation.resume()
        }
    }

    func events(label: String, handle: @escaping @Sendable (EngineEvent) -> Void) async throws(EngineError) {
        try await pass(.ping)
        self.handle = handle
        handle(.connected)
        let error = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<EngineError?, Never>) in
                if Task.isCancelled {
                    continuation.resume(returning: EngineError(.cancelled, "cancelled"))
                } else {
                    stream = continuation
                }
            }
        } onCancel: {
            self.endEvents(EngineError(.cancelled, "cancelled"))
        }
        if let error { throw error }
    }

    // MARK: Parts

    /// A container that is there from the start, as the supervisor would have made it.
    @discardableResult
    func add(_ specification: ContainerSpecification, _ state: ContainerState) -> String {
        nextNumber += 1
        let digits = String(nextNumber, radix: 16)
        let id = String(repeating: "0", count: 64 - digits.count) + digits
        specifications[id] = specification
        containers.insert(
            EngineContainer(
                id: id,
                name: specification.name,
                image: specification.image,
                imageID: imageID(specification.image),
                labels: specification.labels,
                state: state,
                // Within one second.
                created: 1,
                networks: attachments(specification)
            ),
            at: 0
        )
        return id
    }

    private func attachments(_ specification: ContainerSpecification) -> [String: String] {
        let names = specification.networks.isEmpty ? [specification.networkMode] : specification.networks.map(\.network)
        return Dictionary(names.map { name in (name, networks.first { $0.name == name }?.id ?? "") }) { first, _ in
            first
        }
    }

    func emit(_ id: String, _ action: String, _ exitCode: Int? = nil, labels: [String: String]? = nil) {
        let container = containers.first { $0.id == id }
        guard let labels = labels ?? container?.labels else { return }
        handle?(.container(id: id, action: action, exitCode: exitCode, labels: labels, name: container?.name ?? ""))
    }

    private func find(_ id: String, _ operation: Operation, _ verb: String) async throws(EngineError) -> EngineContainer
    {
        let labels = containers.first { $0.id == id }?.labels ?? [:]
        try await pass(operation, "\(verb) \(Self.name(labels))")
        guard let container = containers.first(where: { $0.id == id }) else {
            throw EngineError(.notFound, "no such container: \(id)")
        }
        return container
    }

    private static func name(_ labels: [String: String]) -> String {
        "\(labels[ContainerLabel.app] ?? "?")/\(labels[ContainerLabel.service] ?? "?")"
    }

    private func pass(_ operation: Operation, _ call: String? = nil) async throws(EngineError) {
        if let call {
            calls.append(call)
            onCall(call)
        }
        await Task.yield()
        if isAway { throw EngineError(.unavailable, "connection refused") }
        if held.contains(operation) {
            nextNumber += 1
            let number = nextNumber
            let isFreed = await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    if Task.isCancelled {
                        continuation.resume(returning: false)
                    } else {
                        waiting.append((number, operation, continuation))
                    }
                }
            } onCancel: {
                self.cancel(number)
            }
            if !isFreed { throw EngineError(.cancelled, "cancelled") }
        }
        if failures[operation]?.isEmpty == false, let error = failures[operation]?.removeFirst() {
            if goesAwayAfterFailure { goAway() }
            throw error
        }
        if isAway { throw EngineError(.unavailable, "connection refused") }
    }

    private func cancel(_ number: Int) {
        guard let index = waiting.firstIndex(where: { $0.number == number }) else { return }
        waiting.remove(at: index).continuation.resume(returning: false)
    }
}
