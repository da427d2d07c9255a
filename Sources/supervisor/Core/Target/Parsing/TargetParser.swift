import JSON
import LinuxSupport

/// Reads a target state. Refuses what it does not understand where that would change what runs; a member that it does
/// not know is a warning. An application that is wrong is left out and reported: it keeps no other from being updated.
struct TargetParser {
    private(set) var warnings: [String] = []
    private(set) var rejections: [TargetRejection] = []
    /// Whether a lone service is one of several; nil counts them, and wants everything declared that is referred to.
    private let isMultiService: Bool?

    init() { isMultiService = nil }

    /// For an application that is read back, maybe in parts.
    init(recoveringMultiService isMultiService: Bool) { self.isMultiService = isMultiService }

    private var isRecovering: Bool { isMultiService != nil }

    /// Parses the bytes of a target state file.
    mutating func parse(_ bytes: [UInt8]) throws(TargetError) -> (target: TargetState, json: JSONValue) {
        let json: JSONValue
        do throws(JSONParseError) {
            json = try JSONValue(parsingFile: bytes, limits: .init(depth: 32, size: 4 << 20))
        } catch {
            throw TargetError(place: "line \(error.line), column \(error.column)", reason: error.reason)
        }
        return (try parse(json), json)
    }

    mutating func parse(_ json: JSONValue) throws(TargetError) -> TargetState {
        var root = try TargetMember(json, "").object()
        // The whole device state document is accepted as well as its `local` object.
        if let local = root["local"], root["apps"] == nil { root = try local.object() }
        var target = TargetState()
        target.name = try root["name"]?.string()
        target.config = try root["config"]?.stringMap() ?? [:]
        var ids: Set<AppID> = []
        for (name, member) in try root.required("apps").object().members {
            guard let id = AppID(digits: name) else {
                reject(nil, TargetError(place: member.path, reason: "an application's id must consist of digits"))
                continue
            }
            guard ids.insert(id).inserted else {
                reject(id, TargetError(place: member.path, reason: "the application is listed twice"))
                continue
            }
            let warningsBefore = warnings.count
            do throws(TargetError) {
                target.apps.append(try app(id, member))
            } catch {
                warnings.removeSubrange(warningsBefore...)
                reject(id, error)
            }
        }
        // Which of two is meant cannot be known.
        let rejected = Set(rejections.map(\.app))
        target.apps.removeAll { rejected.contains($0.id) }
        target.apps.sort { $0.id < $1.id }
        warnUnknown(root, known: ["name", "config", "apps", "local"])
        return target
    }

    private mutating func reject(_ app: AppID?, _ error: TargetError) {
        rejections.append(TargetRejection(app: app, error: error))
    }

    private mutating func app(_ id: AppID, _ member: TargetMember) throws(TargetError) -> AppTarget {
        let object = try member.object()
        var app = AppTarget(
            id: id,
            name: try object["name"]?.shortString() ?? "app-\(id)",
            commit: try object.required("commit").shortString(),
            releaseID: try object["releaseId"]?.shortText() ?? "",
            services: []
        )
        let services = try object.required("services").object().members
        guard services.count <= Self.serviceLimit else {
            throw TargetError(
                place: "\(member.path).services",
                reason: "the application has \(services.count) services; \(Self.serviceLimit) are allowed"
            )
        }
        var names: Set<String> = []
        for (serviceID, value) in services {
            let service = try service(serviceID, value)
            guard names.insert(service.name).inserted else {
                throw TargetError(place: value.path, reason: "two services are called \(service.name)")
            }
            app.services.append(service)
        }
        for (name, value) in try object["volumes"]?.object().members ?? [] {
            app.volumes.append(try volume(name, value))
        }
        for (name, value) in try object["networks"]?.object().members ?? [] {
            app.networks.append(try network(name, value))
        }
        app.isMultiService = isMultiService ?? (app.services.count > 1)
        try joinNetworks(&app, member.path)
        try checkAddresses(app, member.path)
        try findVolumes(app, member.path)
        app.services = try inStartOrder(app, member.path)
        warnUnknown(object, known: ["name", "commit", "releaseId", "services", "volumes", "networks"])
        return app
    }

    private static let serviceLimit = 1000
    /// Bytes of the definition of a service, and of a network or volume.
    private static let serviceSizeLimit = 1 << 20
    private static let partSizeLimit = 1 << 16

    // MARK: Networks and volumes

    private func volume(_ name: String, _ member: TargetMember) throws(TargetError) -> VolumeTarget {
        let object = try member.objectOrNull()
        try checkSize(object, atMost: Self.partSizeLimit)
        try object.refuseUnknown(known: ["driver", "driver_opts", "labels"])
        return VolumeTarget(
            name: try TargetMember(.string(name), member.path).name(),
            driver: try object["driver"]?.string() ?? "local",
            options: try object["driver_opts"]?.stringMap() ?? [:],
            labels: try labels(object),
            definition: object.json
        )
    }

    private func network(_ name: String, _ member: TargetMember) throws(TargetError) -> NetworkTarget {
        let object = try member.objectOrNull()
        try checkSize(object, atMost: Self.partSizeLimit)
        try object.refuseUnknown(known: ["driver", "driver_opts", "internal", "enable_ipv6", "ipam", "labels"])
        if let driver = object["driver"], try driver.string() != "bridge" {
            throw TargetError(place: driver.path, reason: "the only driver is bridge")
        }
        var network = NetworkTarget(
            name: try TargetMember(.string(name), member.path).name(),
            definition: object.json
        )
        network.isInternal = try object["internal"]?.bool() ?? false
        network.enablesIPv6 = try object["enable_ipv6"]?.bool() ?? false
        network.options = try object["driver_opts"]?.stringMap() ?? [:]
        network.labels = try labels(object)
        if let ipam = try object["ipam"]?.object() {
            try ipam.refuseUnknown(known: ["config"])
            for entry in try ipam["config"]?.list() ?? [] {
                network.subnets.append(try subnet(entry))
            }
        }
        return network
    }

    /// Checked here, and not left to the engine: by the time that it refuses a network, the one before is gone, and what was
    /// on it is stopped.
    private func subnet(_ entry: TargetMember) throws(TargetError) -> NetworkSpecification.Subnet {
        let range = try entry.object()
        try range.refuseUnknown(known: ["subnet", "gateway", "ip_range"])
        let subnet = try range.required("subnet")
        guard let block = AddressBlock(subnet: try subnet.string()) else {
            throw TargetError(
                place: subnet.path,
                reason: "expected a subnet such as 10.1.0.0/24, found \(try subnet.string())"
            )
        }
        if let gateway = range["gateway"] {
            guard let address = AddressBlock(address: try gateway.string()), block.contains(address) else {
                throw TargetError(
                    place: gateway.path,
                    reason: "expected an address of \(try subnet.string()), found \(try gateway.string())"
                )
            }
        }
        if let part = range["ip_range"] {
            guard let inner = AddressBlock(subnet: try part.string()), block.contains(inner) else {
                throw TargetError(
                    place: part.path,
                    reason: "expected a part of \(try subnet.string()), found \(try part.string())"
                )
            }
        }
        return .init(
            subnet: try subnet.string(),
            gateway: try range["gateway"]?.string(),
            range: try range["ip_range"]?.string()
        )
    }

    /// The engine gives a container an address of its own choice only in a subnet that was asked for.
    private func checkAddresses(_ app: AppTarget, _ path: String) throws(TargetError) {
        if isRecovering { return }
        let networks = Dictionary(app.networks.map { ($0.name, $0) }) { first, _ in first }
        for service in app.services {
            for membership in service.composition.networks {
                guard let text = membership.ipv4Address else { continue }
                let place = "\(path).services.\(service.id).networks.\(membership.network).ipv4_address"
                guard let address = AddressBlock(address: text), address.isIPv4 else {
                    throw TargetError(place: place, reason: "expected an IPv4 address, found \(text)")
                }
                let subnets = networks[membership.network]?.subnets ?? []
                guard subnets.contains(where: { AddressBlock(subnet: $0.subnet)?.contains(address) == true }) else {
                    throw TargetError(
                        place: place,
                        reason: "\(text) is not in a subnet that the network \(membership.network) defines"
                    )
                }
            }
        }
    }

    /// The services of an application that has several share its network `default`, unless they say otherwise.
    private func joinNetworks(_ app: inout AppTarget, _ path: String) throws(TargetError) {
        var known = Set(app.networks.map(\.name))
        for index in app.services.indices {
            let service = app.services[index]
            if app.isMultiService, service.composition.networks.isEmpty, service.definition["network_mode"] == nil {
                app.services[index].composition.networks = [NetworkMembership(network: Self.defaultNetwork)]
                // A container's definition has to say it: read back, it may be alone.
                app.services[index].definition["networks"] = [.string(Self.defaultNetwork)]
            }
            for membership in app.services[index].composition.networks
            where known.insert(membership.network).inserted {
                guard membership.network == Self.defaultNetwork || isRecovering else {
                    throw TargetError(
                        place: "\(path).services.\(service.id).networks",
                        reason: "the application has no network \(membership.network)"
                    )
                }
                app.networks.append(NetworkTarget(name: membership.network))
            }
        }
    }

    private static let defaultNetwork = "default"

    private func findVolumes(_ app: AppTarget, _ path: String) throws(TargetError) {
        if isRecovering { return }
        let known = Set(app.volumes.map(\.name))
        for service in app.services {
            for bind in service.composition.binds where !bind.source.isAbsolutePath && !known.contains(bind.source) {
                throw TargetError(
                    place: "\(path).services.\(service.id).volumes",
                    reason: "the application has no volume \(bind.source)"
                )
            }
        }
    }

    // MARK: Order

    /// Those that another depends on before it, otherwise as written.
    private func inStartOrder(_ app: AppTarget, _ path: String) throws(TargetError) -> [ServiceTarget] {
        let byName = Dictionary(app.services.map { ($0.name, $0) }) { first, _ in first }
        var ordered: [ServiceTarget] = []
        var done: Set<String> = []
        // Without recursion: a target of a thousand services in a row is no reason to run out of stack.
        for service in app.services where !done.contains(service.name) {
            var open: [(service: ServiceTarget, next: Int)] = [(service, 0)]
            var waiting: Set<String> = [service.name]
            while let (current, next) = open.last {
                let dependencies = current.composition.dependencies
                guard next < dependencies.count else {
                    open.removeLast()
                    waiting.remove(current.name)
                    if done.insert(current.name).inserted { ordered.append(current) }
                    continue
                }
                open[open.count - 1].next += 1
                let name = dependencies[next].service
                let place = "\(path).services.\(current.id).depends_on"
                guard let other = byName[name] else {
                    if isRecovering { continue }
                    throw TargetError(place: place, reason: "the application has no service \(name)")
                }
                if waiting.contains(name), let start = open.firstIndex(where: { $0.service.name == name }) {
                    let circle = (open[start...].map(\.service.name) + [name]).joined(separator: " -> ")
                    throw TargetError(place: place, reason: "services wait for each other: \(circle)")
                }
                if !done.contains(name) {
                    open.append((other, 0))
                    waiting.insert(name)
                }
            }
        }
        return ordered
    }

    // MARK: Services

    private mutating func service(_ id: String, _ member: TargetMember) throws(TargetError) -> ServiceTarget {
        let object = try member.object()
        try checkSize(object, atMost: Self.serviceSizeLimit)
        var service = ServiceTarget(
            id: id,
            name: try object.required("serviceName").name(),
            imageID: try object["imageId"]?.shortText() ?? "",
            image: try object.required("image").imageReference(),
            running: try object["running"]?.bool() ?? true,
            environment: try object["environment"]?.environment() ?? [:],
            labels: try labels(object, allowed: ServiceTarget.healthyAfterLabel),
            definition: object.json
        )
        try check(service, member.path)
        service.composition = try Composition(object)
        if !isRecovering { try service.checkSize(member.path) }
        try checkHandOver(service, member.path)
        let own: Set<String> = ["serviceName", "imageId", "image", "running", "environment", "labels"]
        warnUnknown(object, known: own.union(Composition.keys))
        return service
    }

    private func checkSize(_ object: TargetObject, atMost limit: Int) throws(TargetError) {
        // What is there already stays.
        if !isRecovering { try object.checkSize(atMost: limit) }
    }

    /// - Parameter allowed: the one of our own namespace that may be set.
    private func labels(_ object: TargetObject, allowed: String? = nil) throws(TargetError) -> [String: String] {
        guard let member = object["labels"] else { return [:] }
        let labels = try member.stringMap()
        guard !isRecovering else { return labels }
        for name in labels.keys where name.utf8.starts(with: "io.supervisor.".utf8) && name != allowed {
            let hint = allowed.map { "; only \($0) may be set" } ?? ""
            throw TargetError(
                place: "\(member.path).\(name)",
                reason: "labels that begin with io.supervisor. belong to the supervisor\(hint)"
            )
        }
        return labels
    }

    /// The labels that say how it is updated.
    private func check(_ service: ServiceTarget, _ path: String) throws(TargetError) {
        for prefix in ["io.resin.", "io.balena."] {
            let strategy = prefix + "update.strategy"
            if let value = service.labels[strategy], !value.isKeyword || UpdateStrategy(rawValue: value) == nil {
                let allowed = UpdateStrategy.allCases.map(\.rawValue).joined(separator: ", ")
                throw TargetError(
                    place: "\(path).labels.\(strategy)",
                    reason: "\(value.shortened(to: 100)) is not one of \(allowed)"
                )
            }
            let timeout = prefix + "update.handover-timeout"
            if let value = service.labels[timeout], !Self.isNumber(value, in: 0...86_400_000) {
                throw TargetError(
                    place: "\(path).labels.\(timeout)",
                    reason: "expected whole milliseconds from 0 to 86400000, found \(value.shortened(to: 100))"
                )
            }
        }
        let label = ServiceTarget.healthyAfterLabel
        if let value = service.labels[label], !Self.isNumber(value, in: 1...3600) {
            throw TargetError(
                place: "\(path).labels.\(label)",
                reason: "expected whole seconds from 1 to 3600, found \(value.shortened(to: 100))"
            )
        }
    }

    /// Two containers of the service run side by side for a while, and only one of them can have a port of the host's, or an
    /// address.
    private func checkHandOver(_ service: ServiceTarget, _ path: String) throws(TargetError) {
        guard service.strategy == .handOver else { return }
        if service.composition.ports.contains(where: { $0.host != nil }) {
            throw TargetError(
                place: "\(path).ports",
                reason: "a service with the update strategy hand-over cannot publish a port of the host's: its two "
                    + "containers could not both have it; leave the host's port out, or use another strategy"
            )
        }
        if service.composition.networks.contains(where: { $0.ipv4Address != nil }) {
            throw TargetError(
                place: "\(path).networks",
                reason:
                    "a service with the update strategy hand-over cannot have a fixed address: its two containers could "
                    + "not both have it"
            )
        }
    }

    private static func isNumber(_ text: String, in range: ClosedRange<Int>) -> Bool {
        guard text.utf8.isDecimal else {
            return false
        }
        return Int(text).map(range.contains) ?? false
    }

    private mutating func warnUnknown(_ object: TargetObject, known: Set<String>) {
        for (name, member) in object.members where !name.isKeyword || !known.contains(name) {
            // Enough to find what is wrong with a file of thousands.
            guard warnings.count < 50 else { return }
            warnings.append("\(member.path): unknown, ignored")
        }
    }
}
