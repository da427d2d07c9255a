import JSON
import LinuxSupport
import SupervisorEventLoop
import SupervisorPluginAPI
import SupervisorPorts
import UnixHTTP

/// Has commands done and answered: each at most once, none too late. On the event loop only.
final class Tunnel {
    typealias Reply = (CommandAnswer) -> Void

    private let core: CoreClient
    private let executor: LoopExecutor
    private let clock: any SupervisorClock
    private let journal: JournalWriter
    private var memory: CommandMemory
    var serviceClock = ServiceClock()
    private var tasks: [String: Task<Void, Never>] = [:]
    /// Repetitions of commands that are under way.
    private var waiting: [String: [Reply]] = [:]

    /// Commands at once.
    private static let limit = 16
    /// Of one command that is under way.
    private static let repetitionLimit = 8
    private static let version = "1"

    init(core: CoreClient, journal: JournalWriter, done: [String], executor: LoopExecutor, clock: any SupervisorClock) {
        self.core = core
        self.journal = journal
        self.executor = executor
        self.clock = clock
        memory = CommandMemory(done: done)
    }

    /// Takes a command; `reply` is called once, on the event loop, unless the process ends.
    ///
    /// - Parameter version: of the protocol, as the message's header has it.
    func receive(_ payload: some Sequence<UInt8>, version: String?, _ reply: @escaping Reply) {
        do throws(CommandRefusal) {
            let command = try Command(parsing: payload)
            guard version == nil || version?.isExactly(Self.version) == true else {
                throw CommandRefusal(
                    command.id,
                    505,
                    "this device speaks version \(Self.version) of the protocol, not \(version?.cut(toBytes: 20) ?? "")"
                )
            }
            try admit(command, reply)
        } catch {
            reply(.refusal(error))
        }
    }

    /// The caller of a command has gone. What has reached the supervisor is finished there.
    func cancel(_ payload: some Sequence<UInt8>) {
        guard let json = try? JSONValue(parsing: payload, limits: .init(size: 4096)), let id = json["id"]?.plainValue
        else {
            return
        }
        tasks[id]?.cancel()
    }

    private func admit(_ command: Command, _ reply: @escaping Reply) throws(CommandRefusal) {
        if command.changesSomething {
            switch memory.standing(of: command.id) {
            case .new: break
            case .underWay:
                guard let others = waiting[command.id], others.count < Self.repetitionLimit else {
                    throw CommandRefusal(command.id, 409, "already under way")
                }
                waiting[command.id] = others + [reply]
                return
            case .done(let answer?): return reply(answer)
            case .done(nil): throw CommandRefusal(command.id, 409, "already done, the answer is no longer kept")
            }
        }
        try refuseIfLate(command)
        guard tasks.count < Self.limit, tasks[command.id] == nil else {
            throw CommandRefusal(command.id, 503, "too many commands at once")
        }
        if command.changesSomething {
            memory.begin(command.id)
            waiting[command.id] = []
        }
        let bound = LoopBound(self, executor)
        let boundReply = LoopBound(reply, executor)
        tasks[command.id] = Task(executorPreference: executor) {
            await bound.value.perform(command, boundReply.value)
        }
    }

    private func refuseIfLate(_ command: Command) throws(CommandRefusal) {
        guard let now = serviceClock.now(clock) else {
            throw CommandRefusal(command.id, 503, "the device does not know the time of the service yet")
        }
        guard now <= command.notAfter else {
            throw CommandRefusal(command.id, 504, "the command came too late and was not done")
        }
    }

    private func perform(_ command: Command, _ reply: @escaping Reply) async {
        let answer: CommandAnswer
        var isKept = !command.isSecret
        do throws(CommandRefusal) {
            if command.changesSomething { try await record(command) }
            let response = try await core.perform(command)
            answer = .response(command.id, response)
            let text = "\(command.method) \(command.url) for \(command.actor): \(response.status)"
            if command.changesSomething { PluginLog.notice(text) } else { PluginLog.debug(text) }
        } catch {
            answer = .refusal(error)
            isKept = true
            if error.mayComeAgain { memory.forget(command.id) }
            PluginLog.notice("\(command.method) \(command.url) for \(command.actor): \(error.status), \(error.text)")
        }
        tasks[command.id] = nil
        let others = waiting.removeValue(forKey: command.id) ?? []
        if command.changesSomething, case .underWay = memory.standing(of: command.id) {
            memory.finish(command.id, isKept ? answer : nil)
        }
        reply(answer)
        for other in others { other(answer) }
    }

    /// The id is on the disk before the supervisor hears of the command.
    private func record(_ command: Command) async throws(CommandRefusal) {
        do {
            try await journal.append(command.id)
        } catch {
            PluginLog.error("A command cannot be recorded: \(error)")
            throw CommandRefusal(
                command.id,
                503,
                "the device cannot record the command, so it was not done",
                mayComeAgain: true
            )
        }
        guard !Task.isCancelled else {
            throw CommandRefusal(command.id, 504, "the caller has gone, and the command was not done")
        }
        // The disk may have taken its time, and so may a device that was suspended.
        try refuseIfLate(command)
    }
}
