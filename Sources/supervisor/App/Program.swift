import Glibc
import LinuxSupport
import Logging
import NIOCore
import NIOPosix
import SupervisorCore
import SupervisorEventLoop
import SupervisorSystemd

/// The program from its arguments to its exit status.
enum Program {
    private enum Status {
        static let ok: Int32 = 0
        static let failed: Int32 = 1
        /// EX_USAGE of sysexits.h.
        static let usage: Int32 = 64
        /// EX_TEMPFAIL: another supervisor runs.
        static let taken: Int32 = 75
        /// EX_CONFIG; the unit does not restart after it.
        static let configuration: Int32 = 78
    }

    static func run(_ arguments: some Sequence<String>) -> Int32 {
        let options: CommandLineOptions
        switch CommandLineOptions.parse(arguments) {
        case .run(let parsed): options = parsed
        case .print(let text):
            print(text, terminator: "")
            return Status.ok
        case .wrong(let text):
            let line = Array("device-supervisor: \(text)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            return Status.usage
        }
        // What the service manager hands over is read before anything may start a thread.
        let notifier = ServiceNotifier.fromEnvironment()
        _ = bootstrapLogging(level: options.logLevel)
        let logger = Logger(label: "supervisor")
        let configuration: Configuration
        do throws(ConfigurationError) {
            let loaded = try Configuration.load(file: options.configurationFile)
            for warning in loaded.warnings { logger.warning("\(warning)") }
            configuration = loaded.configuration
        } catch {
            logger.critical("\(error)")
            return Status.configuration
        }
        // The modes of what we make are set one by one.
        umask(0o022)
        do {
            return try options.prepares
                ? prepare(configuration, logger)
                : serve(configuration, options, notifier, logger)
        } catch {
            logger.critical("\(error)")
            return Status.failed
        }
    }

    /// For a oneshot unit before the engine: without it, the engine creates missing directories owned by root.
    private static func prepare(_ configuration: Configuration, _ logger: Logger) throws -> Int32 {
        let store = StateStore(directory: configuration.stateDirectory)
        let service = LockSpaceService()
        var lockSpaces: ((String) -> String?)?
        if configuration.lockDirectory == LockSpaceService.lockDirectory, service.isThere {
            lockSpaces = { service.request($0) }
        }
        let outcome = store.prepare(
            configuration.directories,
            targetFile: configuration.target,
            bootID: Host.bootID(),
            lockSpaces: lockSpaces
        )
        for problem in outcome.problems { logger.error("\(problem)") }
        return outcome.isDone ? Status.ok : Status.failed
    }

    private static func serve(
        _ configuration: Configuration,
        _ options: CommandLineOptions,
        _ notifier: ServiceNotifier,
        _ logger: Logger
    ) throws -> Int32 {
        let descriptorLimit = Host.raiseDescriptorLimit()
        let signals = try SignalDescriptor([SIGTERM, SIGINT, SIGHUP, SIGCHLD])
        let store = StateStore(directory: configuration.stateDirectory)
        for problem in store.makeDirectory() { logger.error("\(problem)") }
        if let hint = FormerState.hint(for: configuration.stateDirectory) { logger.warning("\(hint)") }
        guard try RuntimeDirectory.becomeTheOnlyOne(in: configuration.stateDirectory) else {
            logger.critical("Another supervisor is using \(configuration.stateDirectory)")
            return Status.taken
        }
        let runtime = try RuntimeDirectory(configuration.runtimeDirectory)
        let lockToken = try runtime.lockToken()
        let worker = try LoopWorker()

        // The main thread is the event loop; it ends with exit(3).
        MultiThreadedEventLoopGroup.withCurrentThreadAsEventLoop { loop in
            let daemon = Daemon(
                executor: LoopExecutor(loop),
                configuration: configuration,
                configurationFile: options.configurationFile,
                store: store,
                runtime: runtime,
                lockToken: lockToken,
                worker: worker,
                notifier: notifier,
                descriptorLimit: descriptorLimit,
                logger: logger
            )
            daemon.begin(signals)
        }
        return Status.failed
    }
}
