import JSON
import LinuxSupport

/// Reading the compose keys of a service, in the forms of the Compose file format that a target state uses.
extension Composition {
    /// Every key that `init` reads.
    static let keys: Set<String> = [
        "command", "entrypoint", "network_mode", "privileged", "restart", "ports", "volumes", "devices", "cap_add",
        "cap_drop", "tmpfs", "working_dir", "user", "hostname", "group_add", "extra_hosts", "dns", "security_opt",
        "sysctls", "stop_signal", "stop_grace_period", "init", "read_only", "tty", "stdin_open", "pid", "ipc",
        "mem_limit", "shm_size", "networks", "depends_on",
    ]

    init(_ service: TargetObject) throws(TargetError) {
        self.init()
        command = try service["command"]?.words()
        entrypoint = try service["entrypoint"]?.words()
        if let member = service["network_mode"] {
            networkMode = try member.oneOf(["host", "bridge", "none"])
        }
        networks = try service["networks"]?.memberships() ?? []
        if !networks.isEmpty, service["network_mode"] != nil {
            throw TargetError(
                place: service.path(of: "networks"),
                reason: "a service cannot have both network_mode and networks"
            )
        }
        dependencies = try service["depends_on"]?.dependencies() ?? []
        privileged = try service["privileged"]?.bool() ?? false
        if let member = service["restart"] { restart = try member.restartPolicy() }
        for member in try service["ports"]?.list() ?? [] { ports.append(try member.port()) }
        for member in try service["volumes"]?.list() ?? [] { binds.append(try member.bind()) }
        for member in try service["devices"]?.list() ?? [] { devices.append(try member.device()) }
        capabilitiesAdded = try service["cap_add"]?.strings() ?? []
        capabilitiesDropped = try service["cap_drop"]?.strings() ?? []
        for entry in try service["tmpfs"]?.stringOrStrings() ?? [] {
            let parts = entry.parts(at: ":", most: 2)
            guard parts[0].isAbsolutePath, parts[0].utf8.count <= 4096, parts[0].utf8.allSatisfy({ $0 < 0x80 }) else {
                throw TargetError(
                    place: service.path(of: "tmpfs"),
                    reason: "\(entry.shortened(to: 100)) is not an absolute path of ASCII characters"
                )
            }
            try TargetMember.refuseReserved(parts[0], at: service.path(of: "tmpfs"))
            tmpfs[parts[0]] = parts.count > 1 ? parts[1] : ""
        }
        workingDirectory = try service["working_dir"]?.string()
        user = try service["user"]?.text()
        hostname = try service["hostname"]?.string()
        groups = try service["group_add"]?.strings() ?? []
        extraHosts = try service["extra_hosts"]?.strings() ?? []
        dns = try service["dns"]?.stringOrStrings() ?? []
        securityOptions = try service["security_opt"]?.strings() ?? []
        sysctls = try service["sysctls"]?.stringMap() ?? [:]
        stopSignal = try service["stop_signal"]?.text()
        stopGracePeriod = try service["stop_grace_period"]?.seconds()
        initProcess = try service["init"]?.bool()
        readOnlyRoot = try service["read_only"]?.bool() ?? false
        terminal = try service["tty"]?.bool() ?? false
        openInput = try service["stdin_open"]?.bool() ?? false
        pidMode = try service["pid"]?.oneOf(["host"])
        ipcMode = try service["ipc"]?.oneOf(["host", "private", "shareable", "none"])
        memoryLimit = try service["mem_limit"]?.byteCount()
        sharedMemorySize = try service["shm_size"]?.byteCount()
    }
}

extension TargetMember {
    fileprivate func oneOf(_ allowed: [String]) throws(TargetError) -> String {
        let value = try string()
        guard value.isKeyword, allowed.contains(value) else {
            throw TargetError(
                place: path,
                reason: "\(value.shortened(to: 100)) is not one of \(allowed.joined(separator: ", "))"
            )
        }
        return value
    }

    /// A list of names, or an object from name to null or {aliases, ipv4_address}.
    fileprivate func memberships() throws(TargetError) -> [NetworkMembership] {
        var result: [NetworkMembership] = []
        var names: Set<String> = []
        func add(_ membership: NetworkMembership, _ place: String) throws(TargetError) {
            guard names.insert(membership.network).inserted else {
                throw TargetError(place: place, reason: "the network \(membership.network) is listed twice")
            }
            result.append(membership)
        }
        guard case .object = json else {
            for member in try list() { try add(NetworkMembership(network: try member.name()), member.path) }
            return result
        }
        for (name, member) in try object().members {
            var membership = NetworkMembership(network: try TargetMember(.string(name), member.path).name())
            if !member.json.isNull {
                let details = try member.object()
                try details.refuseUnknown(known: ["aliases", "ipv4_address"])
                membership.aliases = try details["aliases"]?.strings() ?? []
                membership.ipv4Address = try details["ipv4_address"]?.string()
            }
            try add(membership, member.path)
        }
        return result
    }

    /// A list of names, or an object from name to null or {condition}.
    fileprivate func dependencies() throws(TargetError) -> [Dependency] {
        guard case .object = json else {
            var names: [String] = []
            var known: Set<String> = []
            for member in try list() {
                let name = try member.name()
                if known.insert(name).inserted { names.append(name) }
            }
            return names.map { Dependency(service: $0) }
        }
        var result: [Dependency] = []
        for (name, member) in try object().members {
            var dependency = Dependency(service: try TargetMember(.string(name), member.path).name())
            if !member.json.isNull, let condition = try member.object()["condition"] {
                dependency.needsHealth =
                    try condition.oneOf(["service_started", "service_healthy"]) == "service_healthy"
            }
            result.append(dependency)
        }
        return result
    }

    /// A list, or a string that is split into words as a shell does: white space separates, single and double quotes
    /// group, a backslash escapes.
    fileprivate func words() throws(TargetError) -> [String] {
        guard case .string = json else { return try strings() }
        var words: [String] = []
        var word: [UInt8] = []
        // An empty word is one that is quoted.
        var isInWord = false
        var quote: UInt8?
        var escaped = false
        func end() {
            if isInWord { words.append(String(decoding: word, as: UTF8.self)) }
            (word, isInWord) = ([], false)
        }
        for byte in try string().utf8 {
            if escaped {
                word.append(byte)
                (escaped, isInWord) = (false, true)
            } else if byte == UInt8(ascii: "\\"), quote != UInt8(ascii: "'") {
                escaped = true
            } else if let open = quote {
                if byte == open { quote = nil } else { word.append(byte) }
            } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                (quote, isInWord) = (byte, true)
            } else if byte == 0x20 || (0x09...0x0D).contains(byte) {
                end()
            } else {
                word.append(byte)
                isInWord = true
            }
        }
        guard quote == nil, !escaped else { throw TargetError(place: path, reason: "a quote is not closed") }
        end()
        return words
    }

    fileprivate func restartPolicy() throws(TargetError) -> ContainerSpecification.RestartPolicy {
        if case .bool(false) = json { return .no }
        let value = try string()
        switch value.isKeyword ? value : "" {
        case "no": return .no
        case "always": return .always
        case "unless-stopped": return .unlessStopped
        case "on-failure": return .onFailure(maximumRetries: nil)
        default:
            if value.isKeyword, value.hasPrefix("on-failure:"), let count = Int(value.dropFirst(11)), count >= 0 {
                return .onFailure(maximumRetries: count)
            }
            throw TargetError(
                place: path,
                reason:
                    "\(value.shortened(to: 100)) is not one of no, always, unless-stopped, on-failure, on-failure:COUNT"
            )
        }
    }

    /// `[[ADDRESS:]HOST:]CONTAINER[/TRANSPORT]`; the short form of the Compose file format without ranges.
    fileprivate func port() throws(TargetError) -> ContainerSpecification.Port {
        let wrong = TargetError(
            place: path,
            reason: "expected [[ADDRESS:]HOST:]CONTAINER[/tcp|udp|sctp] with ports from 1 to 65535 and no ranges"
        )
        let text = try text()
        guard text.isKeyword else { throw wrong }
        let halves = text.parts(at: "/")
        let transport = halves.count > 1 ? halves[1] : "tcp"
        guard halves.count <= 2, ["tcp", "udp", "sctp"].contains(transport) else { throw wrong }
        var parts = halves[0].parts(at: ":")
        guard let last = parts.popLast(), let container = Self.port(last) else { throw wrong }
        var host: UInt16?
        if let published = parts.popLast(), !published.isEmpty {
            guard let number = Self.port(published) else { throw wrong }
            host = number
        }
        var address = parts.joined(separator: ":")
        if address.hasPrefix("["), address.hasSuffix("]") { address = String(address.dropFirst().dropLast()) }
        return .init(hostAddress: address, host: host, container: container, transport: transport)
    }

    private static func port(_ text: String) -> UInt16? {
        guard text.utf8.isDecimal, let number = UInt16(text), number > 0 else { return nil }
        return number
    }

    /// `/HOST/PATH:/CONTAINER/PATH[:ro|rw]` or `VOLUME:/CONTAINER/PATH[:ro|rw]`.
    fileprivate func bind() throws(TargetError) -> ContainerSpecification.Bind {
        let parts = try string().parts(at: ":", most: 4)
        let mode = parts.count > 2 ? parts[2] : "rw"
        guard (2...3).contains(parts.count), parts[1].isAbsolutePath, mode.isKeyword, mode == "ro" || mode == "rw"
        else {
            throw TargetError(place: path, reason: "expected /HOST/PATH:/PATH[:ro|rw] or VOLUME:/PATH[:ro|rw]")
        }
        if !parts[0].isAbsolutePath { _ = try TargetMember(.string(parts[0]), path).name() }
        try Self.refuseReserved(parts[1], at: path)
        return .init(source: parts[0], target: parts[1], readOnly: mode == "ro")
    }

    /// Refuses a place in the container where something of ours is mounted, however its path is written.
    fileprivate static func refuseReserved(_ target: String, at path: String) throws(TargetError) {
        var names: [[UInt8]] = []
        for name in target.utf8.split(separator: UInt8(ascii: "/")).map(Array.init) where name != [UInt8(ascii: ".")] {
            if name == Array("..".utf8) { _ = names.popLast() } else { names.append(name) }
        }
        let reserved = [["data"], ["tmp", "balena"], ["tmp", "resin"]].map { $0.map { Array($0.utf8) } }
        guard !reserved.contains(names) else {
            throw TargetError(
                place: path,
                reason: "\(target.shortened(to: 100)) is reserved for the supervisor: /data, /tmp/balena, /tmp/resin"
            )
        }
    }

    /// `HOST-PATH[:CONTAINER-PATH[:PERMISSIONS]]`.
    fileprivate func device() throws(TargetError) -> ContainerSpecification.Device {
        let parts = try string().parts(at: ":", most: 4)
        let permissions = parts.count > 2 ? parts[2] : "rwm"
        guard parts.count <= 3, parts.prefix(2).allSatisfy(\.isAbsolutePath), !permissions.isEmpty,
            permissions.utf8.allSatisfy({ "rwm".utf8.contains($0) })
        else {
            throw TargetError(place: path, reason: "expected /dev/NAME[:/dev/NAME[:PERMISSIONS]], permissions of r w m")
        }
        return .init(host: parts[0], container: parts.count > 1 ? parts[1] : parts[0], permissions: permissions)
    }

    /// Whole seconds: a number, or a duration such as "1m30s", "10s", "500ms" (rounded up).
    fileprivate func seconds() throws(TargetError) -> Int {
        let wrong = TargetError(place: path, reason: "expected a duration from 0 to 1 h, such as 30s or 1m30s")
        if let value = json.integerValue {
            guard (0...3600).contains(value) else { throw wrong }
            return Int(value)
        }
        var milliseconds = 0
        let text = try string()
        guard text.isKeyword, !text.utf8.isEmpty else { throw wrong }
        var rest = Substring(text)
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(unit.count)
            let factors = ["": 1000, "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000]
            guard let number = Int(digits), number <= 3_600_000, let factor = factors[String(unit)] else { throw wrong }
            milliseconds += number * factor
            guard milliseconds <= 3_600_000 else { throw wrong }
        }
        return (milliseconds + 999) / 1000
    }

    /// Bytes: a number, or one with a unit of b, k, m, g (powers of 1024).
    fileprivate func byteCount() throws(TargetError) -> Int64 {
        let wrong = TargetError(place: path, reason: "expected a number of bytes, such as 67108864, 64m or 1g")
        if let value = json.integerValue, value >= 0 { return value }
        guard try self.text().isKeyword else { throw wrong }
        let text = try self.text().lowercased()
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let factors: [String: Int64] = [
            "": 1, "b": 1, "k": 1 << 10, "kb": 1 << 10, "m": 1 << 20, "mb": 1 << 20, "g": 1 << 30, "gb": 1 << 30,
        ]
        guard let number = Int64(digits), let factor = factors[String(text.dropFirst(digits.count))] else {
            throw wrong
        }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: factor)
        guard !overflow else { throw wrong }
        return bytes
    }
}
