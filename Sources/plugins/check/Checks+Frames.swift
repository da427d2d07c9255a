import SupervisorPluginAPI

extension Checks {
    static let frames: [Check] = [
        Check("frames.split", "a frame that comes byte by byte") { bench throws(CheckError) in
            let plugin = try bench.start()
            let id = plugin.nextID()
            let frame = Frame.request(id: id, method: PluginInitialize.name, parameters: bench.handshake())
            for byte in frame.encoded() {
                try plugin.send(bytes: [byte])
                plugin.settle(1)
            }
            try bench.result(of: try plugin.answer(to: id), PluginInitialize.self)
        },
        Check("frames.joined", "several frames in one write, and a cut in the middle of the next") {
            bench throws(CheckError) in
            let plugin = try bench.start()
            let ids = [plugin.nextID(), plugin.nextID(), plugin.nextID()]
            let initialize = Frame.request(id: ids[0], method: PluginInitialize.name, parameters: bench.handshake())
            try bench.result(
                of: try { () throws(CheckError) in
                    try plugin.send(initialize)
                    return try plugin.answer(to: ids[0])
                }(),
                PluginInitialize.self
            )
            let initialized = Frame.notification(method: PluginInitialized.name, parameters: ["accepted": true])
            let pings = ids.dropFirst().map {
                Frame.request(id: $0, method: PluginPing.name, parameters: [:]).encoded()
            }
            try plugin.send(bytes: initialized.encoded() + pings[0] + pings[1].prefix(20))
            try bench.result(of: try plugin.answer(to: ids[1]), PluginPing.self)
            try plugin.send(bytes: Array(pings[1].dropFirst(20)))
            try bench.result(of: try plugin.answer(to: ids[2]), PluginPing.self)
        },
        Check("frames.separators", "U+2028, U+2029, NEL, VT and FF in a string do not end a frame") {
            bench throws(CheckError) in
            let plugin = try bench.ready()
            try bench.ping(plugin, id: .text(separators))
            try bench.ping(plugin)
        },
        Check("frames.ids", "ids are returned unchanged") { bench throws(CheckError) in
            let plugin = try bench.ready()
            let ids: [RequestID] = [
                .number(0), .number(-1), .number(9_007_199_254_740_991), .text("7"), .text(""), .text("a b"),
                .text("null"), .text("{\"id\":1}"), .text("$(id) `id` %s \\n '"),
            ]
            for id in ids { try bench.ping(plugin, id: id) }
        },
        Check("frames.maximum", "a frame of exactly 1 MiB is accepted") { bench throws(CheckError) in
            let plugin = try bench.ready()
            let id = plugin.nextID()
            try plugin.send(bytes: padded(id, to: PluginProtocol.maximumFrameSize))
            let time = max(bench.options.timeout, 10_000)
            try bench.result(of: try plugin.answer(to: id, within: time), PluginPing.self)
        },
        Check("frames.oversize", "a longer frame is refused: the plugin answers -32600 and continues, or exits") {
            bench throws(CheckError) in
            let plugin = try bench.ready()
            let id = plugin.nextID()
            let next = plugin.nextID()
            do throws(CheckError) {
                try plugin.send(bytes: padded(id, to: PluginProtocol.maximumFrameSize + 1))
                try plugin.send(.request(id: next, method: PluginPing.name, parameters: [:]))
                let time = max(bench.options.timeout, 10_000)
                try bench.result(of: try plugin.answer(to: next, within: time), PluginPing.self)
            } catch {
                guard plugin.exit(within: 100) != nil else { throw error }
                return bench.remarks.append("it exits; -32600 and the next frame would be better")
            }
            if plugin.hasAnswer(to: id, within: 0), case .result = try plugin.answer(to: id) {
                throw .failed("a frame of 1 MiB + 1 byte was answered with a result")
            }
            do throws(CheckError) {
                try bench.expect([.invalidRequest], try plugin.answer(to: nil, within: 100), "1 MiB + 1 byte")
            } catch {
                bench.remarks.append("the frame is dropped without -32600")
            }
        },
        Check("frames.not-json", "a line that is not JSON is answered with -32700 and the id null") {
            bench throws(CheckError) in
            let plugin = try bench.ready()
            for line in ["nonsense", "{\"jsonrpc\":\"2.0\",\"id\":1,", "{\"id\":1}}"] {
                try plugin.send(bytes: Array("\(line)\n".utf8))
                try bench.expect([.parseError], try plugin.answer(to: nil), line)
            }
            try bench.ping(plugin)
        },
        Check("frames.invalid", "JSON that is not a frame is answered with -32600") { bench throws(CheckError) in
            let plugin = try bench.ready()
            let lines = [
                "[]", "1", "\"text\"", "[{\"jsonrpc\":\"2.0\",\"id\":900,\"method\":\"plugin.ping\"}]",
                "{\"jsonrpc\":\"2.0\",\"id\":901,\"method\":7}", "{\"id\":902,\"method\":\"plugin.ping\"}",
                "{\"jsonrpc\":\"1.0\",\"id\":903,\"method\":\"plugin.ping\"}",
                "{\"jsonrpc\":\"2.0\",\"id\":904,\"method\":\"plugin.ping\",\"params\":[]}",
                "{\"jsonrpc\":\"2.0\",\"id\":905,\"method\":\"plugin.ping\",\"params\":\"text\"}",
            ]
            for line in lines {
                try plugin.send(bytes: Array("\(line)\n".utf8))
                let id = (try? JSONValue(parsing: line))?["id"]?.integerValue.map(RequestID.number)
                let frame = try plugin.answer(to: id, orNull: true)
                try bench.expect([.invalidRequest], frame, line)
            }
            try bench.ping(plugin)
        },
        Check("frames.no-params", "absent params are an empty object") { bench throws(CheckError) in
            let plugin = try bench.ready()
            let id = RequestID.number(77)
            try plugin.send(bytes: Array("{\"jsonrpc\":\"2.0\",\"id\":77,\"method\":\"plugin.ping\"}\n".utf8))
            try bench.result(of: try plugin.answer(to: id), PluginPing.self)
        },
        Check("frames.unknown-members", "unknown members of a frame and of params are ignored") {
            bench throws(CheckError) in
            let plugin = try bench.ready()
            let (method, parameters) = bench.anyCall
            var more = parameters
            more["x-check"] = ["method": "plugin.shutdown", "list": [nil, 1e300, "text"]]
            let id = plugin.nextID()
            guard var object = Frame.request(id: id, method: method, parameters: more).json.objectValue else { return }
            object["x-check"] = ["id": 1]
            try plugin.send(bytes: JSONValue.object(object).encoded() + [0x0A])
            if case .failure(_, let error) = try plugin.answer(to: id), error.code != .operationFailed {
                throw .failed("\(method) was answered with \(error.code.rawValue): \(error.message)")
            }
        },
        Check("frames.white-space", "JSON white space around and within a frame is accepted") {
            bench throws(CheckError) in
            let plugin = try bench.ready()
            let line =
                " \t{ \"method\" : \"plugin.ping\" ,\t\"params\" : { } , \"id\" : 78 , \"jsonrpc\" : \"2.0\" } \r\n"
            try plugin.send(bytes: Array(line.utf8))
            try bench.result(of: try plugin.answer(to: .number(78)), PluginPing.self)
        },
    ]

    /// A plugin.ping of so many bytes without its line feed.
    private static func padded(_ id: RequestID, to size: Int) -> [UInt8] {
        var parameters: JSONObject = ["x-check": ""]
        let missing = size + 1 - Frame.request(id: id, method: PluginPing.name, parameters: parameters).encoded().count
        parameters["x-check"] = .string(String(repeating: "x", count: missing))
        return Frame.request(id: id, method: PluginPing.name, parameters: parameters).encoded()
    }
}
