import Glibc
import SupervisorPluginAPI

/// Tests a plugin from outside; `CheckOptions.help` says how it is used.
@main
struct PluginCheck {
    private let bench: Bench
    private let violations = Violations()
    private var report = Report()

    private enum Status {
        static let passed: Int32 = 0
        static let failed: Int32 = 1
        /// EX_USAGE of sysexits.h.
        static let usage: Int32 = 64
    }

    static func main() {
        switch CheckOptions.parse(CommandLine.arguments.dropFirst()) {
        case .print(let text):
            Report.write(text, to: STDOUT_FILENO)
        case .wrong(let text): refuse(text)
        case .run(let options):
            if !options.isSocket, access(options.target, X_OK) != 0 {
                refuse("\(options.target): \(String(cString: strerror(errno)))")
            }
            signal(SIGPIPE, SIG_IGN)
            var check = PluginCheck(options)
            exit(check.run() ? Status.passed : Status.failed)
        }
    }

    private static func refuse(_ text: String) -> Never {
        Report.write("supervisor-plugin-check: \(text)\n", to: STDERR_FILENO)
        exit(Status.usage)
    }

    private init(_ options: CheckOptions) {
        bench = Bench(options, violations)
    }

    private func wants(_ id: String) -> Bool {
        bench.options.only.isEmpty || bench.options.only.contains { id.utf8.starts(with: $0.utf8) }
    }

    /// Whether nothing has failed.
    private mutating func run() -> Bool {
        report.begin()
        for check in Checks.fixed { run(check) }
        for check in Checks.operations(bench) { run(check) }
        for violation in Violation.allCases where wants(violation.rawValue) {
            let finding = violations.first[violation].map(CheckError.failed)
            report.add(violation.rawValue, violation.title, finding)
        }
        return report.end()
    }

    private mutating func run(_ check: Check) {
        // Others need to know what it offers.
        guard wants(check.id) || check.id == "handshake.good" else { return }
        bench.remarks = []
        var finding: CheckError?
        if check.needsHandshake, bench.offered == nil {
            finding = .skipped("the handshake fails")
        } else {
            do throws(CheckError) { try check.body(bench) } catch { finding = error }
            bench.dispose(hasFailed: finding != nil)
        }
        report.add(check.id, check.title, finding, remarks: bench.remarks, log: bench.log)
    }
}
