import DBus

/// A program that has asked logind to hold off something: systemd-inhibit(1).
struct Inhibitor: Sendable, Hashable {
    /// Such as "shutdown:sleep".
    var what: String
    var who: String
    var why: String
    /// "block" or "delay".
    var mode: String
    var user: Int
    var process: Int

    init(what: String, who: String, why: String, mode: String, user: Int, process: Int) {
        self.what = what
        self.who = who
        self.why = why
        self.mode = mode
        self.user = user
        self.process = process
    }

    /// From an element of ListInhibitors, (ssssuu).
    init?(_ value: BusValue) {
        guard let fields = value.elements, fields.count >= 6, let what = fields[0].text, let who = fields[1].text,
            let why = fields[2].text, let mode = fields[3].text, let user = fields[4].integer,
            let process = fields[5].integer
        else { return nil }
        self.init(what: what, who: who, why: why, mode: mode, user: user, process: process)
    }

    var blocksShutdown: Bool {
        // Newer systemd has "block-weak" too.
        mode.hasPrefix("block")
            && what.utf8.split(separator: UInt8(ascii: ":")).contains { $0.elementsEqual("shutdown".utf8) }
    }

    /// For people. What a program says about itself is cut, and kept on one line.
    var description: String {
        let reason = why.isEmpty ? "" : ": \(Self.line(why))"
        return "\(who.isEmpty ? "a program" : Self.line(who))\(reason), process \(process) of user \(user)"
    }

    private static func line(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.prefix(120).map { $0.value < 0x20 ? " " : $0 }))
    }
}
