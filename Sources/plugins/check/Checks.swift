import SupervisorPluginAPI

/// One check; its id never changes.
struct Check: Sendable {
    let id: String
    let title: String
    /// Whether it is pointless once the good handshake has failed.
    var needsHandshake = true
    let body: @Sendable (Bench) throws(CheckError) -> Void

    init(
        _ id: String,
        _ title: String,
        needsHandshake: Bool = true,
        _ body: @escaping @Sendable (Bench) throws(CheckError) -> Void
    ) {
        self.id = id
        self.title = title
        self.needsHandshake = needsHandshake
        self.body = body
    }
}

enum Checks {
    static let fixed = handshake + frames + calls + life

    /// Checks of each operation that the plugin has offered.
    static func operations(_ bench: Bench) -> [Check] {
        (bench.offered?.operations ?? []).flatMap { operation in
            [
                Check("operation.\(operation.name)", "is answered as the protocol requires") {
                    bench throws(CheckError) in
                    try calls(operation, bench)
                }
            ]
                + (Contract.wrongParameters[operation.name] == nil
                    ? []
                    : [
                        Check("operation.\(operation.name).arguments", "wrong params are refused as invalid-argument") {
                            bench throws(CheckError) in try refuses(operation, bench)
                        }
                    ])
        }
    }

    static var list: String {
        let lines =
            fixed.map { "\($0.id): \($0.title)" }
            + [
                "operation.NAME: for each operation that may be called: is answered as the protocol requires",
                "operation.NAME.arguments: wrong params are refused as invalid-argument",
            ]
            + Violation.allCases.map { "\($0.rawValue): \($0.title)" }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func calls(
        _ operation: PluginInitialize.Reply.Operation,
        _ bench: Bench
    ) throws(CheckError) {
        guard bench.isAllowed(operation) else {
            throw .skipped("it may change the host; --allow \(operation.name) calls it")
        }
        let plugin = try bench.ready()
        switch try bench.call(plugin, operation.name, bench.options.calls[operation.name] ?? [:]) {
        case .result(_, let value):
            if let fault = Contract.fault(in: value.objectValue ?? [:], of: operation.name) {
                throw .failed("the result is wrong: \(fault)")
            }
        case .failure(_, let error):
            guard error.code == .operationFailed else {
                throw .failed("answered with \(error.code.rawValue): \(error.message)")
            }
            bench.remarks.append("it failed (\(error.reason?.rawValue ?? "no reason")): \(error.message)")
        case .request, .notification: throw .failed("no response")
        }
        try bench.ping(plugin)
    }

    private static func refuses(
        _ operation: PluginInitialize.Reply.Operation,
        _ bench: Bench
    ) throws(CheckError) {
        guard bench.options.calls[operation.name] != nil else {
            throw .skipped("accepting them might change the host; --allow \(operation.name) tries it")
        }
        let plugin = try bench.ready()
        for parameters in Contract.wrongParameters[operation.name] ?? [] {
            let text = JSONValue.object(parameters).text
            let error = try bench.expect([.operationFailed], try bench.call(plugin, operation.name, parameters), text)
            guard error.reason == .invalidArgument else {
                throw .failed("\(text): reason is \(error.reason?.rawValue ?? "absent"), expected invalid-argument")
            }
        }
    }
}
