import Glibc
import NATSClient
import NIOCore
import NIOPosix

/// One end of the bus, on one thread, without Dispatch, as on a device.
///
///     supervisor-bus-probe respond URL PREFIX COUNT [CONNECTIONS]
///         Answers PREFIX0 to PREFIX<COUNT-1> with what it is sent, and the header X of it. COUNT 0: PREFIX itself.
///     supervisor-bus-probe call URL SUBJECT SIZE...
///         Sends a request of each size, with and without a header, and compares the answer.
///     supervisor-bus-probe fan-out URL PREFIX COUNT WINDOW SIZE
///         Calls PREFIX0 to PREFIX<COUNT-1>, and prints what it took as JSON.
@main
enum BusProbe {
    static func main() {
        MultiThreadedEventLoopGroup.withCurrentThreadAsEventLoop { loop in
            do {
                try run(Array(CommandLine.arguments.dropFirst()), on: loop)
            } catch {
                fail("\(error)")
            }
        }
    }

    static func fail(_ text: String) -> Never {
        print("{\"error\":\"\(text)\"}")
        exit(1)
    }

    private static func run(_ arguments: [String], on loop: any EventLoop) throws(NATSError) {
        guard arguments.count >= 3 else { fail("see the head of this file") }
        let server = try NATSServer(parsing: arguments[1])
        let numbers = arguments.dropFirst(3).compactMap { Int($0) }
        switch arguments[0] {
        case "respond":
            for number in 0..<(numbers.dropFirst().first ?? 1) {
                try respond(server, arguments[2], numbers[0], number, numbers.dropFirst().first ?? 1, loop)
            }
        case "call": Call(client(server, loop), arguments[2], numbers).start()
        case "fan-out": fanOut(server, arguments[2], numbers[0], numbers[1], numbers[2], loop)
        default: fail("there is no \(arguments[0])")
        }
    }

    static func client(
        _ server: NATSServer,
        _ loop: any EventLoop,
        onEvent: @escaping (NATSEvent) -> Void = { _ in }
    ) -> NATSClient {
        NATSClient(
            loop: loop,
            configuration: NATSClientConfiguration(name: "probe"),
            login: { _ in loop.makeSucceededFuture(NATSLogin(servers: [server])) },
            onEvent: { event in
                if case .failed(let error, _) = event { _ = write(2, "\(error)\n", "\(error)\n".utf8.count) }
                onEvent(event)
            }
        )
    }

    private static func respond(
        _ server: NATSServer,
        _ prefix: String,
        _ count: Int,
        _ number: Int,
        _ connections: Int,
        _ loop: any EventLoop
    ) throws(NATSError) {
        let client = client(server, loop) { event in
            if case .connected = event, number == connections - 1 {
                print("ready")
                fflush(nil)
            }
        }
        let subjects = count == 0 ? [prefix] : stride(from: number, to: count, by: connections).map { "\(prefix)\($0)" }
        for subject in subjects {
            try client.subscribe(subject) { message in
                guard let reply = message.reply else { return }
                var headers = NATSHeaders()
                if let value = message.headers["X"] { try? headers.add("X", value) }
                try? client.publish(reply, headers: headers, payload: message.payload)
            }
        }
        client.start()
    }

    private static func fanOut(
        _ server: NATSServer,
        _ prefix: String,
        _ count: Int,
        _ window: Int,
        _ size: Int,
        _ loop: any EventLoop
    ) {
        let payload = ByteBuffer(repeating: 0x61, count: size)
        var (answered, absent, failed, begin, cpu) = (0, 0, 0, NIODeadline.now(), 0.0)
        let box = Reference()
        let client = client(server, loop) { event in
            guard case .connected = event, let client = box.client else { return }
            (begin, cpu) = (.now(), processorTime())
            let requests = (0..<count).lazy.map { NATSRequest("\(prefix)\($0)", payload: payload) }
            client.fanOut(requests, window: window, deadline: .seconds(10)) { batch in
                for result in batch {
                    switch result.result {
                    case .success: answered += 1
                    case .failure(let error): if error.code == .noResponders { absent += 1 } else { failed += 1 }
                    }
                }
            } done: {
                let seconds = Double((NIODeadline.now() - begin).nanoseconds) / 1e9
                let used = (processorTime() - cpu) * 1e6 / Double(count)
                print(
                    "{\"answered\":\(answered),\"absent\":\(absent),\"failed\":\(failed),\"seconds\":\(seconds),"
                        + "\"perSecond\":\(Int(Double(count) / seconds)),\"cpuMicroseconds\":\(used)}"
                )
                exit(0)
            }
        }
        box.client = client
        client.start()
    }

    private static func processorTime() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }
}

final class Reference {
    var client: NATSClient?
}

/// Calls one after the other.
final class Call {
    private let client: NATSClient
    private let subject: String
    private var left: [(size: Int, hasHeader: Bool)]

    init(_ client: NATSClient, _ subject: String, _ sizes: [Int]) {
        self.client = client
        self.subject = subject
        left = sizes.flatMap { [($0, false), ($0, true)] }
    }

    func start() {
        client.start()
        next()
    }

    private func next() {
        guard client.isConnected else {
            client.loop.assumeIsolated().scheduleTask(in: .milliseconds(20)) { self.next() }
            return
        }
        guard let (size, hasHeader) = left.popLast() else {
            print("{\"ok\":true}")
            exit(0)
        }
        let payload = ByteBuffer(bytes: (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ size) })
        do throws(NATSError) {
            var headers = NATSHeaders()
            if hasHeader { try headers.add("X", "value \(size)") }
            let request = NATSRequest(subject, headers: headers, payload: payload)
            try client.request(request, deadline: .seconds(10)) { result in
                guard case .success(let reply) = result, reply.payload == payload,
                    reply.headers["x"] == (hasHeader ? "value \(size)" : nil)
                else { BusProbe.fail("\(size) bytes came back otherwise") }
                self.next()
                return .done
            }
        } catch {
            BusProbe.fail("\(error)")
        }
    }
}
