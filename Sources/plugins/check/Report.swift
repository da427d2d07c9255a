import Glibc

/// Writes TAP 14 (testanything.org) to standard output.
struct Report {
    private var count = 0
    private var failures = 0

    func begin() {
        Self.write("TAP version 14\n", to: STDOUT_FILENO)
    }

    /// - Parameter log: what the plugin has written to standard error meanwhile; shown with a failure.
    mutating func add(_ id: String, _ title: String, _ finding: CheckError?, remarks: [String] = [], log: [UInt8] = [])
    {
        count += 1
        var text = ""
        switch finding {
        case nil: text = "ok \(count) - \(id)\n"
        case .skipped(let reason)?: text = "ok \(count) - \(id) # SKIP \(Self.plain(reason))\n"
        case .failed(let message)?:
            failures += 1
            text = "not ok \(count) - \(id)\n  ---\n  expected: \(Self.quoted(title))\n"
            text += "  message: \(Self.quoted(message))\n"
            let lines = log.split(separator: 0x0A).suffix(10).map { String(decoding: $0, as: UTF8.self) }
            if !lines.isEmpty { text += "  log:\n" + lines.map { "    - \(Self.quoted($0))\n" }.joined() }
            text += "  ...\n"
        }
        for remark in remarks { text += "# \(id): \(Self.plain(remark))\n" }
        Self.write(text, to: STDOUT_FILENO)
    }

    /// Whether nothing has failed.
    func end() -> Bool {
        Self.write("1..\(count)\n", to: STDOUT_FILENO)
        if failures > 0 { Self.write("# \(failures) of \(count) failed\n", to: STDOUT_FILENO) }
        return failures == 0
    }

    /// In one line, without what TAP would take for a directive.
    private static func plain(_ text: String) -> String {
        String(
            text.unicodeScalars.map { scalar in
                scalar == "#" || scalar.properties.generalCategory == .control ? " " : Character(scalar)
            }
        )
    }

    /// A string of YAML in single quotes.
    private static func quoted(_ text: String) -> String {
        let safe = text.unicodeScalars.map { scalar -> String in
            if scalar.properties.generalCategory == .control { return " " }
            return scalar == "'" ? "''" : String(scalar)
        }
        return "'\(safe.joined())'"
    }

    static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
