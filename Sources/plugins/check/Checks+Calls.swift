import SupervisorPluginAPI

extension Checks {
    static let calls: [Check] = [
        Check("calls.ping", "plugin.ping says whether the plugin is ready") { bench throws(CheckError) in
            let plugin = try bench.ready()
            let frame = try bench.call(plugin, PluginPing.name)
            let reply = try bench.result(of: frame, PluginPing.self)
            if !reply.isReady { bench.remarks.append("it is not ready: \(reply.reason ?? "it does not say why")") }
        },
        Check("calls.unknown-method", "an unknown method is answered with -32601, and later calls are still served") {
            bench throws(CheckError) in
            let plugin = try bench.ready()
            for method in ["check.no-such-method", "plugin.no-such-method", "", "a \"$(id)\""] {
                try bench.expect([.methodNotFound], try bench.call(plugin, method), "the method \(method)")
            }
            try bench.ping(plugin)
        },
        Check("calls.unknown-notification", "an unknown notification is ignored") { bench throws(CheckError) in
            let plugin = try bench.ready()
            try plugin.send(.notification(method: "check.no-such-notification", parameters: ["a": 1]))
            try bench.ping(plugin)
        },
        Check("calls.two", "two calls in flight are both answered, each to its id") { bench throws(CheckError) in
            let plugin = try bench.ready()
            let (method, parameters) = bench.anyCall
            let ids: [RequestID] = [.text("first"), .text("second")]
            try plugin.send(
                .request(id: ids[0], method: method, parameters: parameters),
                .request(id: ids[1], method: method, parameters: parameters)
            )
            for id in ids { _ = try plugin.answer(to: id) }
        },
        Check("calls.sixteen", "sixteen calls in flight are all answered") { bench throws(CheckError) in
            let plugin = try bench.ready()
            let ids = (0..<PluginProtocol.maximumCalls).map { _ in plugin.nextID() }
            try plugin.send(
                bytes: ids.flatMap { Frame.request(id: $0, method: PluginPing.name, parameters: [:]).encoded() }
            )
            for id in ids { try bench.result(of: try plugin.answer(to: id), PluginPing.self) }
        },
        Check("calls.ping-while-busy", "plugin.ping is answered within a second while a call is under way") {
            bench throws(CheckError) in
            guard let (method, parameters) = bench.longCall else { throw .skipped(noCall) }
            let plugin = try bench.ready()
            let call = plugin.nextID()
            let ping = plugin.nextID()
            try plugin.send(.request(id: call, method: method, parameters: parameters))
            plugin.settle(20)
            try plugin.send(.request(id: ping, method: PluginPing.name, parameters: [:]))
            let isOver = plugin.hasAnswer(to: call, within: 0)
            try bench.result(of: try plugin.answer(to: ping, within: 1000), PluginPing.self)
            if isOver {
                bench.remarks.append("\(method) had already finished: use --call with an operation that takes longer")
            }
            try plugin.send(.notification(method: PluginCancel.name, parameters: PluginCancel(id: call).json))
            _ = try plugin.answer(to: call)
        },
        Check("calls.cancel", "a call that is cancelled is answered exactly once, within 2 s") {
            bench throws(CheckError) in
            let plugin = try bench.ready()
            let (method, parameters) = bench.anyCall
            let call = plugin.nextID()
            try plugin.send(.request(id: call, method: method, parameters: parameters))
            plugin.settle(20)
            try plugin.send(.notification(method: PluginCancel.name, parameters: PluginCancel(id: call).json))
            if case .failure(_, let error) = try plugin.answer(to: call, within: 2500),
                error.code != .cancelled, error.code != .operationFailed
            {
                throw .failed("answered with \(error.code.rawValue), expected -32003, -32000 or a result")
            }
            // A late one counts as a second.
            try bench.ping(plugin)
            guard !plugin.hasAnswer(to: call, within: 500) else { throw .failed("answered twice") }
        },
        Check("calls.cancel-unknown", "plugin.cancel of a call that has finished or never existed is ignored") {
            bench throws(CheckError) in
            let plugin = try bench.ready()
            let over = plugin.nextID()
            try bench.ping(plugin, id: over)
            for id in [over, .number(424_242), .text("nobody")] {
                try plugin.send(.notification(method: PluginCancel.name, parameters: PluginCancel(id: id).json))
            }
            try plugin.send(.notification(method: PluginCancel.name, parameters: [:]))
            try bench.ping(plugin)
        },
        Check("calls.order", "answers go out at once, not with the next frame") { bench throws(CheckError) in
            let plugin = try bench.ready()
            for _ in 0..<20 { try bench.ping(plugin) }
        },
    ]

    static let noCall = "there is no read operation; name one that may be called with --call or --allow"
}
