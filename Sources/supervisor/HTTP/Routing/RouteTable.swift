import NIOHTTP1

/// Finds the route of a request. Made once; finding allocates nothing for short paths without a parameter.
struct RouteTable: Sendable {
    enum Match {
        case route(Route, parameter: String?)
        /// The path is known; `allow` is the value of an Allow header.
        case otherMethod(allow: String)
        case options(allow: String)
        case unknown
    }

    /// What one path can do.
    private struct Resource: Sendable {
        var routes: [Route] = []

        var allow: String {
            var names: [String] = []
            for route in routes {
                names.append(route.method.rawValue)
                if route.method == .GET { names.append("HEAD") }
            }
            return (names + ["OPTIONS"]).joined(separator: ", ")
        }

        func route(for method: HTTPMethod) -> Route? {
            // A HEAD is a GET whose body stays here (RFC 9110, section 9.3.2).
            let method = method == .HEAD ? .GET : method
            return routes.first { $0.method == method }
        }
    }

    /// A path with one segment left open.
    private struct Pattern: Sendable {
        var prefix: String
        var suffix: String
        var resource: Resource

        func parameter(in path: String) -> String? {
            guard path.hasPrefix(prefix), path.hasSuffix(suffix),
                path.utf8.count > prefix.utf8.count + suffix.utf8.count
            else { return nil }
            let parameter = path.dropFirst(prefix.count).dropLast(suffix.count)
            return parameter.utf8.contains(UInt8(ascii: "/")) ? nil : String(parameter)
        }
    }

    private var resources: [String: Resource] = [:]
    private var patterns: [Pattern] = []
    /// The answer to `OPTIONS *`.
    private let allow: String

    init(_ routes: [Route]) {
        var paths: [String] = []
        var byPath: [String: Resource] = [:]
        for route in routes {
            if byPath[route.path] == nil { paths.append(route.path) }
            byPath[route.path, default: Resource()].routes.append(route)
        }
        for path in paths {
            guard let resource = byPath[path] else { continue }
            // "/v1/apps/:id/stop": what stands before and after the one parameter.
            let parts = path.split(separator: Character(":"), omittingEmptySubsequences: false)
            if parts.count == 2 {
                let suffix = parts[1].drop { $0 != "/" }
                patterns.append(Pattern(prefix: String(parts[0]), suffix: String(suffix), resource: resource))
            } else {
                resources[path] = resource
            }
        }
        let methods = Set(routes.map(\.method.rawValue)).union(["HEAD", "OPTIONS"])
        allow = methods.sorted().joined(separator: ", ")
    }

    /// - Parameter path: as RequestTarget gives it.
    func match(_ method: HTTPMethod, _ path: String) -> Match {
        // No path of ours has another byte, and String compares and hashes ASCII alone in linear time.
        guard path.utf8.allSatisfy({ $0 < 0x80 }) else { return .unknown }
        if let resource = resources[path] { return match(method, resource, parameter: nil) }
        for pattern in patterns {
            if let parameter = pattern.parameter(in: path) {
                return match(method, pattern.resource, parameter: parameter)
            }
        }
        return path == "*" && method == .OPTIONS ? .options(allow: allow) : .unknown
    }

    private func match(_ method: HTTPMethod, _ resource: Resource, parameter: String?) -> Match {
        if let route = resource.route(for: method) { return .route(route, parameter: parameter) }
        return method == .OPTIONS ? .options(allow: resource.allow) : .otherMethod(allow: resource.allow)
    }
}
