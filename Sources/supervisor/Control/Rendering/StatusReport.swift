import JSON
import SupervisorCommandLine

/// What GET /control/status answers, for people who were woken by it: what is wrong stands out by the words FAILED,
/// UNHEALTHY, AWAY and OFFLINE, and nothing is longer than it must be. A member that is absent shows as "-".
struct StatusReport {
    private let status: JSONValue
    private let style: TextStyle

    init(_ status: JSONValue, style: TextStyle = .plain) {
        self.status = status
        self.style = style
    }

    /// `now` in seconds since 1970.
    func text(now: Int64) -> String {
        let head = [
            device, connectivity, health, power, engine, update, target, supervisor,
        ].flatMap { $0 }
        let paragraphs = [TerminalText.columns(head)] + apps + [locks(now: now)]
        return paragraphs.map { $0.joined(separator: "\n") }.joined(separator: "\n\n")
    }

    // MARK: The device

    private var device: [[String]] {
        let device = status["device"]
        let names = [device.text("name"), device.text("type")].compactMap(\.self).filter { !$0.isEmpty }
        var rows = [["Device", (names + [device.text("uuid") ?? "-"]).joined(separator: ", ")]]
        if let system = device.text("osVersion"), !system.isEmpty { rows.append(["System", system]) }
        let port = device.number("apiPort").map { "API port \($0)" }
        let address = [device.text("ipAddress"), port].compactMap(\.self).filter { !$0.isEmpty }
        rows.append(["Address", address.isEmpty ? "-" : address.joined(separator: ", ")])
        return rows
    }

    /// Empty if the status does not mention it.
    private var connectivity: [[String]] {
        guard case .object? = status["connectivity"] else { return [] }
        let connectivity = status["connectivity"]
        guard connectivity?["enabled"]?.boolValue == true else { return [["Network", "not watched"]] }
        return switch connectivity?["connected"]?.boolValue {
        case true?: [["Network", "connected"]]
        case false?: [["Network", "\(style.bad("OFFLINE")): the heartbeat is not answered"]]
        case nil: [["Network", "not known yet"]]
        }
    }

    /// Empty while neither a reboot nor a shutdown is under way.
    private var power: [[String]] {
        guard case .object? = status["power"] else { return [] }
        let power = status["power"]
        let kind = power.text("kind") ?? "-"
        let since = power.number("sinceSec").map { " (\(TerminalText.span(seconds: $0)))" } ?? ""
        return [
            ["Power", "\(style.warning("\(kind) under way")): \(Self.meaning(ofPhase: power.text("phase")))\(since)"]
        ]
    }

    private static func meaning(ofPhase phase: String?) -> String {
        switch phase {
        case "waiting": "waiting for operations and update locks to end"
        case "stopping": "stopping applications"
        case "calling": "asking the system"
        case "settling": "finding out whether the system has accepted"
        case "unknown": "whether the system has accepted is NOT KNOWN"
        case "accepted": "accepted by the system"
        case "starting": "cancelled, starting applications again"
        default: phase ?? "-"
        }
    }

    private var health: [[String]] {
        let health = status["health"]
        let isHealthy = health?["healthy"]?.boolValue
        return [
            [
                "Health",
                isHealthy == true
                    ? style.good("healthy")
                    : "\(style.bad("UNHEALTHY")): \(health.text("ailment") ?? "no reason given")",
            ]
        ]
    }

    private var engine: [[String]] {
        let engine = status["engine"]
        let since = engine.number("sinceSec").map { " for \(TerminalText.span(seconds: $0))" } ?? ""
        guard engine.text("state") == "connected" else {
            let reason = engine.text("error").map { ": \($0)" } ?? ""
            return [["Engine", "\(style.bad("AWAY"))\(since)\(reason)"], ["", engine.text("socket") ?? "-"]]
        }
        let name = [engine.text("name"), engine.text("version")].compactMap(\.self).joined(separator: " ")
        let version = engine.text("apiVersion").map { " (API \($0))" } ?? ""
        return [["Engine", "\(name)\(version), connected\(since), \(engine.text("socket") ?? "-")"]]
    }

    private var update: [[String]] {
        let update = status["update"]
        var parts = [update.text("status") ?? "-"]
        if let progress = update.number("downloadProgress") { parts[0] += " \(progress) %" }
        if update?["pending"]?.boolValue == true { parts.append("update pending") }
        if update?["downloaded"]?.boolValue == true { parts.append("downloaded") }
        var rows = [["Update", parts.joined(separator: ", ")]]
        if update?["failed"]?.boolValue == true {
            rows.append(["", "\(style.bad("FAILED")): \(update.text("error") ?? "no reason given")"])
        } else if let error = update.text("error") {
            rows.append(["", error])
        }
        if let warning = update.text("warning") {
            rows.append(["", warning])
        }
        if let next = update.number("nextAttemptSec") {
            rows.append(["", "next attempt in \(TerminalText.span(seconds: next))"])
        }
        return rows
    }

    private var target: [[String]] {
        let update = status["update"]
        let file = [["Target", update.text("targetFile") ?? "-"]]
        guard let error = update.text("targetError") else { return file }
        return file + [["", "\(style.bad("FAILED")): \(error)"], ["", "what is wrong there stays as it was"]]
    }

    private var supervisor: [[String]] {
        let supervisor = status["supervisor"]
        let uptime = supervisor.number("uptimeSec").map { TerminalText.span(seconds: $0) } ?? "-"
        let process = supervisor.number("pid").map { "\($0)" } ?? "-"
        return [["Supervisor", "\(supervisor.text("version") ?? "-"), up \(uptime), pid \(process)"]]
    }

    // MARK: Applications

    private var apps: [[String]] {
        let apps = status["apps"]?.arrayValue ?? []
        return apps.isEmpty ? [["No application."]] : apps.map(paragraph(app:))
    }

    private func paragraph(app: JSONValue) -> [String] {
        let app = JSONValue?.some(app)
        let number = app.number("appId").map { "\($0)" } ?? "-"
        let services = app?["services"]?.arrayValue ?? []
        let rows = TerminalText.columns(services.map(row(service:)), indent: 2)
        return ["\(style.strong("App \(number) \(app.text("name") ?? "-")")), \(Self.release(app))"]
            + zip(services, rows).flatMap { [$1] + lastLines(service: $0) }
    }

    /// What a service in a crash loop wrote last.
    private func lastLines(service: JSONValue) -> [String] {
        (service["lastLines"]?.arrayValue ?? []).compactMap(\.stringValue).map { line in
            style.faint("    | ") + TerminalText.logLine(line)
        }
    }

    private static func release(_ app: JSONValue?) -> String {
        switch (app.text("commit"), app.text("targetCommit")) {
        case (let now?, let next?) where now != next: "release \(short(now)), to become \(short(next))"
        case (let now?, _): "release \(short(now))"
        case (nil, let next?): "no release yet, to become \(short(next))"
        case (nil, nil): "no release"
        }
    }

    private func row(service: JSONValue) -> [String] {
        let service = JSONValue?.some(service)
        let word = service.text("state") ?? "-"
        var state = word
        let isLooping = service?["crashLooping"]?.boolValue == true
        // One that runs at the moment says nothing of how it ended, unless it keeps ending.
        if let code = service.number("exitCode"), word != "running" || isLooping { state += " (\(code))" }
        switch word {
        case "running": state = isLooping ? style.warning(state) : style.good(state)
        case "missing", "dead": state = style.bad(state)
        default: state = style.warning(state)
        }
        if isLooping { state += ", \(style.bad("CRASH LOOP"))" }
        return [
            service.text("serviceName") ?? "-",
            state,
            service.text("containerId").map(Self.short) ?? "-",
            service.text("image") ?? "-",
        ]
    }

    private func locks(now: Int64) -> [String] {
        let locks = status["locks"]?.arrayValue ?? []
        return locks.isEmpty
            ? ["No update lock is held."] : ["Update locks"] + LockReport(locks).lines(now: now, indent: 2)
    }

    /// Twelve digits, as the container engines show ids.
    private static func short(_ id: String) -> String { String(id.prefix(12)) }
}

extension JSONValue? {
    /// A member that is text, safe for a terminal and on one line.
    fileprivate func text(_ name: String) -> String? {
        self?[name]?.stringValue.map { TerminalText.safe($0).split(separator: "\n").joined(separator: " ") }
    }

    /// A member that is a number, without its fraction.
    fileprivate func number(_ name: String) -> Int64? {
        switch self?[name] {
        case .integer(let number): number
        case .double(let number): Int64(exactly: number.rounded(.down))
        default: nil
        }
    }
}
