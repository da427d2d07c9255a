import JSON

extension ServiceTarget {
    /// Bytes that one string handed to a process may have, with the zero byte at its end (MAX_ARG_STRLEN of Linux).
    private static let stringLimit = 131_072

    /// Refuses what no process could be started with.
    func checkSize(_ path: String) throws(TargetError) {
        for (name, value) in environment {
            let size = name.utf8.count + 1 + value.utf8.count
            guard size < Self.stringLimit else {
                throw TargetError(
                    place: "\(path).environment.\(name.shortened(to: 100))",
                    reason: "the variable has \(size) bytes with its name and =; \(Self.stringLimit - 1) are allowed"
                )
            }
        }
        for (member, words) in [("command", composition.command), ("entrypoint", composition.entrypoint)] {
            for word in words ?? [] where word.utf8.count >= Self.stringLimit {
                throw TargetError(
                    place: "\(path).\(member)",
                    reason: "a word has \(word.utf8.count) bytes; \(Self.stringLimit - 1) are allowed"
                )
            }
        }
    }
}

extension TargetObject {
    /// Refuses a definition that is too large to be stored with what is made from it, listed and compared.
    func checkSize(atMost limit: Int) throws(TargetError) {
        let size = JSONValue.object(json).encoded().count
        guard size <= limit else {
            throw TargetError(place: path, reason: "the definition has \(size) bytes; \(limit) are allowed")
        }
    }
}
