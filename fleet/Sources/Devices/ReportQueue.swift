import JSON
import Logging

/// Gathers reports and polls, and writes them in one transaction: up to 50 ms or 500 of them.
///
/// A report is answered once it is committed.
actor ReportQueue {
    static let most = 500
    static let delay: Duration = .milliseconds(50)
    /// What may wait for the disk; more is refused with 503.
    static let limit = 10_000

    private struct Entry {
        var device: FleetDevice
        /// nil: a poll.
        var report: JSONObject?
        var done: CheckedContinuation<Void, any Error>?
    }

    private let registry: Registry
    private let logger: Logger
    private let committed: @Sendable ([FleetDevice]) async -> Void
    private var waiting: [Entry] = []
    private var isWriting = false

    init(
        registry: Registry,
        logger: Logger,
        committed: @escaping @Sendable ([FleetDevice]) async -> Void
    ) {
        self.registry = registry
        self.logger = logger
        self.committed = committed
    }

    func add(_ report: JSONObject, of device: FleetDevice) async throws {
        guard waiting.count < Self.limit else { throw Refusal(503, "too many reports are waiting") }
        try await withCheckedThrowingContinuation { done in
            waiting.append(Entry(device: device, report: report, done: done))
            begin()
        }
    }

    private func add(poll device: FleetDevice) {
        guard waiting.count < Self.limit else { return }
        waiting.append(Entry(device: device))
        begin()
    }

    /// Notes that a device has polled; not waited for.
    nonisolated func notePoll(of device: FleetDevice) {
        // More often than once in 10 s says nothing new.
        if let last = device.lastPoll, device.keyUsed, last > RegistryTransaction.now - 10_000 { return }
        Task { await add(poll: device) }
    }

    private func begin() {
        guard !isWriting else { return }
        isWriting = true
        Task { await write() }
    }

    private func write() async {
        while !waiting.isEmpty {
            if waiting.count < Self.most { try? await Task.sleep(for: Self.delay) }
            let batch = Array(waiting.prefix(Self.most))
            waiting.removeFirst(batch.count)
            let items = batch.map { (device: $0.device, report: $0.report) }
            let result: Result<[FleetDevice], any Error>
            do {
                result = .success(
                    try await registry.write { transaction in
                        try items.compactMap { try Self.keep($0.report, of: $0.device, in: transaction) }
                    }
                )
            } catch {
                logger.error("reports could not be written: \(error)")
                result = .failure(error)
            }
            for entry in batch { entry.done?.resume(with: result.map { _ in }) }
            if case .success(let devices) = result { await committed(devices) }
        }
        isWriting = false
    }

    /// The device as it is afterwards; nil where it is no longer there.
    private static func keep(
        _ report: JSONObject?,
        of device: FleetDevice,
        in transaction: RegistryTransaction
    ) throws -> FleetDevice? {
        guard let present = try transaction.device(id: device.id), !present.revoked else { return nil }
        guard let report else {
            try transaction.notePoll(device: present.id)
            return nil
        }
        let known = try transaction.report(uuid: present.uuid).flatMap { try? JSONValue(parsing: $0) }?.objectValue
        var merged = Report.merged(known ?? JSONObject(), with: report)
        var text = JSONValue.object(merged).text
        if text.utf8.count > Report.sizeLimit {
            // What has piled up is dropped; the report of the moment has its own limit.
            merged = Report.merged(JSONObject(), with: report)
            text = JSONValue.object(merged).text
        }
        try transaction.keep(report: text, summary: Report.summary(of: merged), of: present)
        return try transaction.device(id: present.id)
    }
}
