import SupervisorPluginAPI

/// Cuts the input into lines, rightly or wrongly.
struct Reader {
    enum Mode: String {
        case frames, reads, lines, small, big, strict
    }

    private let mode: Mode
    private var splitter: FrameSplitter

    init(mode: Mode = .frames) {
        self.mode = mode
        switch mode {
        case .small: splitter = FrameSplitter(limit: 64 << 10)
        case .big: splitter = FrameSplitter(limit: 64 << 20)
        default: splitter = FrameSplitter()
        }
    }

    var hasPartialLine: Bool { splitter.hasPartialLine }

    mutating func lines(_ bytes: ArraySlice<UInt8>) -> [Result<[UInt8], FrameError>] {
        if mode == .reads { return [.success(Array(bytes))] }
        var lines: [Result<[UInt8], FrameError>] = []
        splitter.append(bytes) { lines.append($0) }
        guard mode == .lines else { return lines }
        return lines.flatMap { line -> [Result<[UInt8], FrameError>] in
            guard case .success(let bytes) = line else { return [line] }
            let parts = String(decoding: bytes, as: UTF8.self).split(omittingEmptySubsequences: true) { $0.isNewline }
            return parts.map { .success(Array($0.utf8)) }
        }
    }

    func frame(_ line: [UInt8]) throws(FrameError) -> Frame {
        guard mode == .big, line.count > PluginProtocol.maximumFrameSize else { return try Frame(parsing: line) }
        let json = try? JSONValue(parsing: line, limits: .init(size: 64 << 20))
        guard let id = json?["id"].flatMap(RequestID.init), let method = json?["method"]?.stringValue else {
            throw FrameError(.parse, "not JSON")
        }
        return .request(id: id, method: method, parameters: [:])
    }

    /// Whether a reader that knows only what it needs would refuse these params.
    static func hasUnknown(_ parameters: JSONObject) -> Bool {
        let isUnknown: (String) -> Bool = { ["x-", "X-"].contains($0.prefix(2)) }
        let settings = parameters["settings"]?.objectValue ?? [:]
        return parameters.names.contains(where: isUnknown) || settings.names.contains(where: isUnknown)
    }
}
