import LinuxSupport
import SupervisorPluginAPI

/// What docs/plugin-protocol.md says of each operation.
enum Contract {
    /// nil for an operation that the protocol does not define.
    static func isIdempotent(_ operation: String) -> Bool? {
        KnownOperations.operation(named: operation)?.isIdempotent
    }

    /// Why this is no result of the operation; nil where it is, or where the protocol does not define it.
    static func fault(in result: JSONObject, of operation: String) -> String? {
        guard let type = KnownOperations.operation(named: operation) else { return nil }
        return fault(in: result, type)
    }

    private static func fault<Operation: HostOperation>(in result: JSONObject, _ type: Operation.Type) -> String? {
        do throws(PluginError) {
            _ = try Operation.Reply(json: result)
            return nil
        } catch {
            return error.message
        }
    }

    /// Whether a call changes nothing.
    static func isHarmless(_ operation: PluginInitialize.Reply.Operation) -> Bool {
        let verb = operation.name.split(separator: ".").last
        return operation.isIdempotent && (verb == "get" || verb == "status")
    }

    /// For operations that need some.
    static let parameters: [String: JSONObject] = [
        LEDBlink.name: ["durationMs": 100], StorageLockSpace.name: ["appId": 1],
    ]

    /// Params that the operation must refuse, each as invalid-argument.
    static let wrongParameters: [String: [JSONObject]] = [
        LEDBlink.name: [[:], ["durationMs": 0], ["durationMs": "100"], ["durationMs": 600_001], ["durationMs": 1.5]],
        StorageLockSpace.name: [[:], ["appId": 0], ["appId": "1"], ["appId": 1.5]],
        HostnameSet.name: [[:], ["hostname": ""], ["hostname": "-"], ["hostname": "a b"], ["hostname": 1]],
        ProxySet.name: [
            [:],
            ["type": "socks6", "ip": "10.0.0.1", "port": 1080],
            ["type": "socks5", "ip": "10.0.0.01", "port": 1080],
            ["type": "socks5", "ip": "10.0.0.1", "port": 0],
            ["type": "socks5", "ip": "10.0.0.1\";}", "port": 1080],
            ["type": "socks5", "ip": "10.0.0.1", "port": 1080, "login": "a\nb"],
            ["type": "socks5", "ip": "10.0.0.1", "port": 1080, "noProxy": ["example"]],
        ],
    ]

    static let reasons: Set<String> = [
        "invalid-argument", "not-supported", "permission-denied", "unavailable", "busy", "timeout", "failed",
    ]

    /// DOMAIN.VERB of small letters, digits and hyphens.
    static func isOperationName(_ name: String) -> Bool {
        let parts = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.count == 2 && !parts[0].elementsEqual("plugin".utf8)
            && parts.allSatisfy { part in
                guard let first = part.first, (0x61...0x7A).contains(first) else { return false }
                return part.allSatisfy {
                    (0x61...0x7A).contains($0) || $0.isASCIIDigit || $0 == UInt8(ascii: "-")
                }
            }
    }
}
