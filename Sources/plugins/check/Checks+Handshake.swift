import SupervisorPluginAPI

extension Checks {
    static let handshake: [Check] = [
        Check(
            "handshake.good",
            "plugin.initialize is answered with version, name and operations",
            needsHandshake: false
        ) {
            bench throws(CheckError) in
            let plugin = try bench.start()
            let reply = try bench.result(of: try bench.initialize(plugin), PluginInitialize.self)
            guard reply.protocolVersion == PluginProtocol.version else {
                throw .failed("protocolVersion is \(reply.protocolVersion), expected \(PluginProtocol.version)")
            }
            guard !reply.pluginName.isEmpty else { throw .failed("plugin.name is empty") }
            if let name = bench.options.name, name != reply.pluginName {
                throw .failed("plugin.name is \(reply.pluginName), expected \(name)")
            }
            if reply.pluginVersion.isEmpty { bench.remarks.append("plugin.version is absent or empty") }
            try plugin.send(.notification(method: PluginInitialized.name, parameters: ["accepted": true]))
            plugin.settle(20)
            try bench.ping(plugin)
            bench.offered = reply
        },
        Check("handshake.operations", "the operations are named and marked idempotent as the protocol requires") {
            bench throws(CheckError) in
            let operations = bench.offered?.operations ?? []
            guard !operations.isEmpty else { throw .failed("no operations") }
            var seen: Set<String> = []
            for operation in operations {
                guard Contract.isOperationName(operation.name) else {
                    throw .failed("\(operation.name) is not an operation name (DOMAIN.VERB, not plugin.*)")
                }
                guard seen.insert(operation.name).inserted else { throw .failed("\(operation.name) is listed twice") }
                guard let expected = Contract.isIdempotent(operation.name) else {
                    bench.remarks.append("\(operation.name) is not an operation of the protocol")
                    continue
                }
                guard operation.isIdempotent == expected else {
                    throw .failed("\(operation.name): idempotent is \(operation.isIdempotent), expected \(expected)")
                }
            }
        },
        Check("handshake.version", "an unknown version is answered with -32001", needsHandshake: false) {
            bench throws(CheckError) in
            let plugin = try bench.start()
            let frame = try bench.initialize(plugin, versions: [99])
            try bench.expect([.unsupportedVersion], frame, "protocolVersions [99]")
        },
        Check("handshake.versions", "version 1 is chosen from several") { bench throws(CheckError) in
            let frame = try bench.initialize(try bench.start(), versions: [99, 1, 7])
            let reply = try bench.result(of: frame, PluginInitialize.self)
            guard reply.protocolVersion == 1 else { throw .failed("protocolVersion is \(reply.protocolVersion)") }
        },
        Check("handshake.first", "a call before plugin.initialize is answered with -32002", needsHandshake: false) {
            bench throws(CheckError) in
            let plugin = try bench.start()
            let method = bench.offered?.operations.first?.name ?? "check.nothing"
            try bench.expect([.notInitialized], try bench.call(plugin, method), method)
            if bench.offered != nil { try bench.result(of: try bench.initialize(plugin), PluginInitialize.self) }
        },
        Check(
            "handshake.again",
            "a second plugin.initialize is answered with an error, and later calls are still served"
        ) {
            bench throws(CheckError) in
            let plugin = try bench.ready()
            try bench.expect(nil, try bench.initialize(plugin), "the second plugin.initialize")
            try bench.ping(plugin)
        },
        Check("handshake.refused", "a refused plugin performs no operation and exits") { bench throws(CheckError) in
            let plugin = try bench.start()
            try bench.result(of: try bench.initialize(plugin), PluginInitialize.self)
            let refusal: JSONObject = ["accepted": false, "reason": "supervisor-plugin-check tests a refusal"]
            try plugin.send(.notification(method: PluginInitialized.name, parameters: refusal))
            // Only what changes nothing: a plugin that is wrong here would do it.
            if let read = bench.offered?.operations.first(where: { Contract.isHarmless($0) }) {
                let id = plugin.nextID()
                // It may be gone already.
                try? plugin.send(.request(id: id, method: read.name, parameters: [:]))
                if plugin.hasAnswer(to: id, within: 500), case .result = try plugin.answer(to: id) {
                    throw .failed("\(read.name) was answered with a result after the refusal")
                }
            }
            plugin.endInput()
            try bench.expectExit(plugin, after: "the refusal and the end of its input", status: nil)
        },
        Check("handshake.settings", "unknown settings are ignored, whatever they contain") { bench throws(CheckError) in
            let plugin = try bench.ready(extra: ["X-Check": Checks.separators, "X-\(Checks.separators)": ""])
            try bench.ping(plugin)
        },
        Check("handshake.unknown-members", "unknown members of plugin.initialize are ignored") {
            bench throws(CheckError) in
            let plugin = try bench.start()
            var parameters = bench.handshake()
            parameters["x-check"] = ["nested": [1, 2.5, nil, true, "text"]]
            try bench.result(of: try bench.call(plugin, PluginInitialize.name, parameters), PluginInitialize.self)
            let initialized: JSONObject = ["accepted": true, "x-check": []]
            try plugin.send(.notification(method: PluginInitialized.name, parameters: initialized))
            plugin.settle(20)
            try bench.ping(plugin)
        },
    ]

    /// What some string types take for the end of a line: U+2028, U+2029, NEL as they are, VT and FF as escapes; with a
    /// quote, a backslash, a line feed and characters of two to four bytes.
    static let separators = "a\u{2028}b\u{2029}c\u{85}d\u{0B}e\u{0C}f\"g\\h\ni\u{E9}\u{20AC}\u{1F600}"
}
