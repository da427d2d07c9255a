internal import JSON
internal import LinuxSupport
internal import SupervisorCore

extension EngineContainer {
    /// An entry of `GET /containers/json`.
    init(listed entry: JSONValue) throws(EngineError) {
        guard let id = entry["Id"]?.plainValue, let image = entry["Image"]?.plainValue,
            let imageID = entry["ImageID"]?.plainValue, let word = entry["State"]?.plainValue
        else {
            throw EngineError(.malformedAnswer, "cannot list containers: an entry is not complete")
        }
        // Links of others to the container are names too: "/other/alias".
        let names = entry["Names"].plainStrings.map(\.withoutSlash)
        let name = names.first { !$0.utf8.contains(UInt8(ascii: "/")) } ?? names.first ?? id
        let state = try ContainerState(engine: word)
        self.init(
            id: id,
            name: name,
            image: image,
            imageID: imageID,
            labels: entry["Labels"].labels,
            state: state,
            created: entry["Created"]?.integerValue ?? 0,
            health: state == .running ? ContainerHealth(inStatus: entry["Status"]?.stringValue ?? "") : .none,
            networks: entry["NetworkSettings"]?["Networks"].networkIDs ?? [:]
        )
    }
}

extension EngineContainerDetail {
    /// The answer of `GET /containers/ID/json`.
    init(inspected answer: JSONValue) throws(EngineError) {
        guard let id = answer["Id"]?.plainValue, let name = answer["Name"]?.plainValue,
            let imageID = answer["Image"]?.plainValue, let image = answer["Config"]?["Image"]?.plainValue,
            let details = answer["State"], let status = details["Status"]?.plainValue
        else {
            throw EngineError(.malformedAnswer, "cannot inspect container: the answer is not complete")
        }
        let state = try ContainerState(engine: status)
        let health = details["Health"]?["Status"]?.plainValue.flatMap(ContainerHealth.init)
        let container = EngineContainer(
            id: id,
            name: name.withoutSlash,
            image: image,
            imageID: imageID,
            labels: answer["Config"]?["Labels"].labels ?? [:],
            state: state,
            // The engine keeps the last health verdict after the container has stopped; we do not.
            health: state == .running ? health ?? .none : .none,
            networks: answer["NetworkSettings"]?["Networks"].networkIDs ?? [:]
        )
        self.init(
            container: container,
            environment: answer["Config"]?["Env"].strings ?? [],
            exitCode: Self.exitCode(details["ExitCode"]?.integerValue, of: state),
            restartCount: Int(answer["RestartCount"]?.integerValue ?? 0),
            error: details["Error"]?.stringValue?.oneLine ?? ""
        )
    }

    /// The engine writes 0 as long as nothing has ended. A start that failed leaves the state at `created`, with a code.
    private static func exitCode(_ code: Int64?, of state: ContainerState) -> Int? {
        switch state {
        case .running, .paused: nil
        case .created: code == 0 ? nil : code.map { Int($0) }
        case .restarting, .removing, .exited, .dead: code.map { Int($0) }
        }
    }
}

extension ContainerState {
    /// The engine's word, podman's own among them.
    init(engine word: String) throws(EngineError) {
        if let state = Self(rawValue: word) {
            self = state
            return
        }
        switch word {
        case "configured", "initialized": self = .created
        case "stopping": self = .running
        case "stopped": self = .exited
        default: throw EngineError(.malformedAnswer, "\(word.debugDescription) is not a state of a container")
        }
    }
}

extension ContainerHealth {
    /// A list has the health in its text for people alone: "Up 2 minutes (healthy)".
    init(inStatus text: String) {
        let words: [(String, ContainerHealth)] = [
            ("(healthy)", .healthy), ("(unhealthy)", .unhealthy), ("(health: starting)", .starting),
            // podman's.
            ("(starting)", .starting),
        ]
        self = words.first { text.ends(with: $0.0) }?.1 ?? .none
    }
}

extension JSONValue? {
    /// The strings of a list; empty for null and for what is not there.
    var strings: [String] { self?.arrayValue?.compactMap(\.stringValue) ?? [] }

    /// Those of them that are names or ids.
    var plainStrings: [String] { self?.arrayValue?.compactMap(\.plainValue) ?? [] }

    /// The members of an object whose values are strings and that could be labels of ours.
    var labels: [String: String] {
        var labels: [String: String] = [:]
        for member in self?.objectValue ?? [:] {
            if let value = member.labelValue { labels[member.name] = value }
        }
        return labels
    }

    /// The ids of networks by their names.
    fileprivate var networkIDs: [String: String] {
        var networks: [String: String] = [:]
        for member in self?.objectValue ?? [:] where member.name.isPrintableASCII(upTo: 255) {
            networks[member.name] = member.value["NetworkID"]?.plainValue ?? ""
        }
        return networks
    }
}

extension JSONObject.Member {
    /// Labels of ours whose values are texts. Those of all others are names, ids and numbers.
    private static let texts: Set<String> = [ContainerLabel.appName, ContainerLabel.definition]

    /// The value as one of a label; nil for what can be no label of ours, which is dropped where it comes in: an image may
    /// bring names and values of any size and any script, and comparing or hashing one as a String is not linear.
    var labelValue: String? {
        guard name.isPrintableASCII(upTo: 255) else { return nil }
        let isText = Self.texts.contains(name) || !name.begins(with: "io.supervisor.")
        return isText ? value.stringValue : value.plainValue
    }
}

extension String {
    fileprivate var withoutSlash: String {
        utf8.first == UInt8(ascii: "/") ? String(self[utf8.index(after: startIndex)...]) : self
    }
}
