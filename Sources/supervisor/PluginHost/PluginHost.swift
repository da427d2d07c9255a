internal import Glibc
internal import LinuxSupport
public import Logging
internal import NIOCore
import SupervisorCore
public import SupervisorEventLoop
public import SupervisorPorts

/// The plugins of this device: finds their manifests, starts and ends them, and gives the core's calls to the right one.
///
/// Runs on the event loop. Life: `init`, `reload(searchPath:deviceType:)`, `observe`, calls and further reloads, at the end
/// `shutdown(within:)`.
public actor PluginHost {
    /// What is found under one name.
    struct Entry {
        var finding: ManifestSearch.Finding
        /// For the states that no plugin has: masked, unmatched, invalid.
        var since: Duration
        /// nil for these.
        var plugin: SupervisedPlugin?
    }

    nonisolated let dependencies: PluginDependencies
    var observer: (@Sendable (HostEvent) -> Void)?
    var entries: [String: Entry] = [:]
    /// Those that were replaced or removed, until they have ended.
    private var retiring: [SupervisedPlugin] = []
    var providers = ProviderTable([])
    private var complaints: [String] = []
    private var isReloading = false
    private var isShutDown = false
    private var reloadWaiters: [CheckedContinuation<Void, Never>] = []
    /// Resumed at every change of a state.
    private var changeWaiters: [CheckedContinuation<Void, Never>] = []
    var calls: [Int: (call: PluginCall, plugin: SupervisedPlugin)] = [:]
    var lastCall = 0

    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        dependencies.executor.asUnownedSerialExecutor()
    }

    /// - Parameters:
    ///   - supervisorVersion: Plugins are given it.
    ///   - descriptorLimit: The soft limit of open files for plugins; nil leaves the core's own.
    ///   - random: 0 up to, but not including 1; for delays.
    public init(
        executor: LoopExecutor,
        clock: any SupervisorClock,
        worker: any BlockingWorker,
        watcher: any DirectoryWatcher,
        supervisorVersion: String,
        descriptorLimit: UInt64? = nil,
        logger: Logger,
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
    ) {
        dependencies = PluginDependencies(
            executor: executor,
            clock: clock,
            worker: worker,
            watcher: watcher,
            logger: logger,
            supervisorVersion: supervisorVersion,
            descriptorLimit: descriptorLimit,
            random: random
        )
    }

    // MARK: Manifests

    /// Reads the manifests and applies them: plugins whose manifest has changed are stopped and started again, the
    /// others keep running, breakers are closed. Returns when that is done; a persistent plugin may still be starting.
    public func reload(searchPath: [String], deviceType: String) async {
        await takeTurn()
        defer { endTurn() }
        let search = ManifestSearch(searchPath: searchPath, deviceType: deviceType)
        let outcome: ManifestSearch.Outcome
        do {
            outcome = try await dependencies.worker.run { search.run() }
        } catch {
            dependencies.logger.error("The plugins' manifests cannot be read at the moment: \(error)")
            return
        }
        guard !isShutDown else { return }
        for problem in outcome.problems { dependencies.logger.error("\(problem)") }
        for warning in outcome.warnings { dependencies.logger.warning("\(warning)") }
        let (begun, ended) = apply(outcome.findings, deviceType: deviceType)
        // Two of one plugin at once would be in each other's way.
        await waitForEnd(of: ended)
        for plugin in begun where !plugin.isRetired { plugin.begin() }
    }

    /// Returns what is to begin when the others have ended.
    private func apply(
        _ findings: [ManifestSearch.Finding],
        deviceType: String
    ) -> (begun: [SupervisedPlugin], ended: [SupervisedPlugin]) {
        var begun: [SupervisedPlugin] = []
        var ended: [SupervisedPlugin] = []
        var former = entries
        entries = [:]
        for finding in findings {
            let old = former.removeValue(forKey: finding.name)
            if let old, old.finding == finding {
                entries[finding.name] = old
                old.plugin?.post(.closeBreaker)
                continue
            }
            if let plugin = old?.plugin { ended.append(plugin) }
            var entry = Entry(finding: finding, since: dependencies.clock.now)
            if case .usable(let manifest) = finding.verdict {
                let plugin = SupervisedPlugin(
                    manifest,
                    deviceType: deviceType,
                    dependencies: dependencies,
                    report: { [weak self, executor = dependencies.executor] plugin, news in
                        // Always on the loop, where this actor is.
                        let plugin = LoopBound(plugin, executor)
                        self?.assumeIsolated { $0.received(news, from: plugin.value) }
                    }
                )
                entry.plugin = plugin
                begun.append(plugin)
            }
            entries[finding.name] = entry
            log(entry)
        }
        ended += former.values.compactMap(\.plugin)
        choose()
        for plugin in ended { retire(plugin) }
        return (begun, ended)
    }

    private func choose() {
        providers = ProviderTable(entries.values.compactMap { $0.plugin?.manifest })
        for complaint in providers.complaints where !complaints.contains(complaint) {
            dependencies.logger.error("\(complaint)")
        }
        complaints = providers.complaints
    }

    private func log(_ entry: Entry) {
        var logger = dependencies.logger
        logger[metadataKey: "plugin"] = "\(entry.finding.name)"
        switch entry.finding.verdict {
        case .usable(let manifest): logger.info("Plugin \(manifest.name): \(manifest.file)")
        case .masked: logger.info("Plugin \(entry.finding.name) is masked by \(entry.finding.file)")
        case .unmatched(_, let reason): logger.info("Plugin \(entry.finding.name) is not for this device: \(reason)")
        case .refused(_, let reason), .invalid(let reason, _):
            logger.error("Plugin \(entry.finding.name) is not used: \(reason)")
        }
    }

    private func retire(_ plugin: SupervisedPlugin) {
        retiring.append(plugin)
        plugin.retire()
    }

    private func waitForEnd(of plugins: [SupervisedPlugin]) async {
        while plugins.contains(where: { !$0.isRetired }) { await nextChange() }
        retiring.removeAll(where: \.isRetired)
    }

    private func takeTurn() async {
        while isReloading {
            await withCheckedContinuation { continuation in
                if isReloading { reloadWaiters.append(continuation) } else { continuation.resume() }
            }
        }
        isReloading = true
    }

    private func endTurn() {
        isReloading = false
        let waiters = reloadWaiters
        reloadWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    // MARK: Life

    /// Returns when every essential plugin is up, absent or tripped, or its StartTimeoutSec is over.
    public func essentialsSettled() async {
        let essentials = entries.values.compactMap(\.plugin).filter(\.manifest.isEssential)
        guard let longest = essentials.map(\.manifest.startTimeout).max() else { return }
        await wait(upTo: longest) { essentials.allSatisfy(Self.isSettled) }
    }

    /// Looks at every change of a plugin's state.
    func wait(upTo limit: Duration, until isDone: () -> Bool) async {
        let end = dependencies.clock.now + limit
        let timer = ring(after: limit)
        defer { timer.cancel() }
        while dependencies.clock.now < end, !isDone() { await nextChange() }
    }

    private static func isSettled(_ plugin: SupervisedPlugin) -> Bool {
        switch plugin.state {
        case .starting, .backingOff: false
        case .idle: !plugin.supervision.policy.startsAtOnce || plugin.supervision.reason != nil
        default: true
        }
    }

    /// To be called at SIGCHLD.
    public func childrenChanged() {
        for plugin in entries.values.compactMap(\.plugin) + retiring { plugin.reap() }
    }

    /// Ends every plugin: calls under way may finish first. What has not ended within `limit` is killed.
    public func shutdown(within limit: Duration) async {
        isShutDown = true
        let plugins = entries.values.compactMap(\.plugin) + retiring
        for plugin in plugins { plugin.retire() }
        await wait(upTo: limit) { plugins.allSatisfy(\.isRetired) }
        for plugin in plugins where !plugin.isRetired {
            dependencies.logger.warning("Plugin \(plugin.manifest.name) did not stop in time")
            plugin.destroy()
        }
    }

    private func nextChange() async {
        await withCheckedContinuation { changeWaiters.append($0) }
    }

    private func ring(after delay: Duration) -> Task<Void, Never> {
        let clock = dependencies.clock
        return Task(executorPreference: dependencies.executor) {
            do throws(CancellationError) { try await clock.sleep(for: delay) } catch { return }
            await self.changed()
        }
    }

    private func changed() {
        let waiters = changeWaiters
        changeWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    // MARK: What plugins report

    private func received(_ news: SupervisedPlugin.News, from plugin: SupervisedPlugin) {
        let isCurrent = entries[plugin.manifest.name]?.plugin === plugin
        let used = isCurrent ? providers.used(of: plugin.manifest) : []
        switch news {
        case .changed:
            report(
                .state(
                    plugin: plugin.manifest.name,
                    plugin.state.rawValue,
                    reason: plugin.supervision.reason
                )
            )
            changed()
        case .ready:
            if !used.isEmpty { report(.ready(operations: used)) }
            changed()
        case .gone:
            let operations = plugin.manifest.provides.filter { providers.chosen[$0] == plugin.manifest.name }
            if !operations.isEmpty { report(.gone(operations: operations)) }
        case .notification(let method, let parameters):
            // A plugin may send notifications only about its own operations.
            guard used.contains(where: { Self.group($0) == Self.group(method) }) else {
                return plugin.logger.warning(
                    "Ignored notification \(method.cut(toBytes: 64).debugDescription): the plugin does not provide it"
                )
            }
            report(.notification(method: method, parameters: parameters))
        }
    }

    /// "tcp-ping" of "tcp-ping.changed".
    private static func group(_ name: String) -> Substring {
        name.utf8.lastIndex(of: UInt8(ascii: ".")).map { name[..<$0] } ?? name[...]
    }

    private func report(_ event: HostEvent) {
        observer?(event)
    }
}
