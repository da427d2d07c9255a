import JSON

extension NATSServerInfo {
    /// From the text after INFO.
    init(parsing bytes: some Sequence<UInt8>) throws(NATSError) {
        let value: JSONValue
        do {
            value = try JSONValue(parsing: bytes, limits: .init(depth: 8, size: ProtocolParser.infoLimit))
        } catch {
            throw NATSError(.violation, "the server's INFO is no JSON: \(error)")
        }
        guard case .object(let info) = value else {
            throw NATSError(.violation, "the server's INFO is no JSON object")
        }
        func text(_ name: String) -> String { info[name]?.plainValue ?? "" }
        serverID = text("server_id")
        serverName = text("server_name")
        version = text("version")
        guard let limit = info["max_payload"]?.integerValue, (1...(64 << 20)).contains(limit) else {
            throw NATSError(.violation, "the server's INFO has no max_payload from 1 to 64 MiB")
        }
        maxPayload = Int(limit)
        nonce = info["nonce"]?.plainValue
        requiresTLS = info["tls_required"]?.boolValue ?? false
        offersTLS = requiresTLS || info["tls_available"]?.boolValue ?? false
        hasHeaders = info["headers"]?.boolValue ?? false
        isInLameDuckMode = info["ldm"]?.boolValue ?? false
    }
}
