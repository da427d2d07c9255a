import Glibc
import SupervisorPluginAPI

extension Checks {
    static let life: [Check] = [
        Check("life.stays", "a plugin does not exit without being asked to") { bench throws(CheckError) in
            let plugin = try bench.ready()
            guard plugin.exit(within: 1000) == nil else { throw .failed("it exited within a second") }
            try bench.ping(plugin)
        },
        Check("life.shutdown", "plugin.shutdown is answered, then the plugin exits with 0") {
            bench throws(CheckError) in
            let plugin = try bench.ready()
            try bench.result(of: try bench.call(plugin, PluginShutdown.name), PluginShutdown.self)
            try bench.expectExit(plugin, after: "plugin.shutdown")
        },
        Check("life.end-of-input", "at the end of its input the plugin exits with 0 within 5 s") {
            bench throws(CheckError) in
            let plugin = try bench.ready()
            plugin.endInput()
            try bench.expectExit(plugin, after: "the end of its input")
        },
        Check("life.end-while-busy", "it also does so while a call is under way") { bench throws(CheckError) in
            guard let (method, parameters) = bench.longCall else { throw .skipped(noCall) }
            let plugin = try bench.ready()
            let id = plugin.nextID()
            try plugin.send(.request(id: id, method: method, parameters: parameters))
            plugin.settle(20)
            plugin.endInput()
            try bench.expectExit(plugin, after: "the end of its input during \(method)")
            // Answered or not: the answer is not read.
            if plugin.hasAnswer(to: id, within: 0) { _ = try plugin.answer(to: id) }
        },
        Check("life.end-before-handshake", "it also does so before the handshake", needsHandshake: false) {
            bench throws(CheckError) in
            let plugin = try bench.start()
            plugin.endInput()
            try bench.expectExit(plugin, after: "the end of its input, before plugin.initialize")
        },
        Check("life.end-within-frame", "it also does so in the middle of a frame") { bench throws(CheckError) in
            let plugin = try bench.ready()
            try plugin.send(bytes: Array("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"plugin.pi".utf8))
            plugin.settle(20)
            plugin.endInput()
            try bench.expectExit(plugin, after: "the end of its input in the middle of a frame")
            // An error for the rest of a frame belongs to no request, and is not a fault either.
            if plugin.hasNullAnswer { _ = try plugin.answer(to: nil) }
        },
        Check("life.terminate", "at SIGTERM the plugin exits with 0 within 5 s") { bench throws(CheckError) in
            try bench.needProcess()
            let plugin = try bench.ready()
            try bench.ping(plugin)
            plugin.signal(SIGTERM)
            try bench.expectExit(plugin, after: "SIGTERM")
        },
        Check("life.terminate-while-busy", "it also does so while a call is under way") { bench throws(CheckError) in
            try bench.needProcess()
            guard let (method, parameters) = bench.longCall else { throw .skipped(noCall) }
            let plugin = try bench.ready()
            let id = plugin.nextID()
            try plugin.send(.request(id: id, method: method, parameters: parameters))
            plugin.settle(20)
            plugin.signal(SIGTERM)
            try bench.expectExit(plugin, after: "SIGTERM during \(method)")
            if plugin.hasAnswer(to: id, within: 0) { _ = try plugin.answer(to: id) }
        },
        Check("life.terminal", "started on a terminal, it prints what it is and exits with 2", needsHandshake: false) {
            bench throws(CheckError) in
            let plugin = try bench.startOnTerminal()
            guard let status = plugin.exit(within: PluginUnderTest.exitTime) else {
                plugin.signal(SIGKILL)
                throw .failed("it waits on the terminal")
            }
            plugin.settle(50)
            guard status & 0x7F == 0, status >> 8 & 0xFF == 2 else {
                throw .failed("\(PluginUnderTest.describe(status)), expected to exit with 2")
            }
            guard plugin.log.contains(where: { $0 > 0x20 }) else { throw .failed("nothing on standard error") }
        },
    ]
}
