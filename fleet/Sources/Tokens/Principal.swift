/// Who has sent a request.
enum Principal: Sendable {
    case token(Token, Scope)
    case provisioning(Token)
    case device(FleetDevice)

    /// As journals, the audit and the device see it.
    var name: String {
        switch self {
        case .token(let token, _), .provisioning(let token): "token:\(token.name)"
        case .device(let device): "device:\(device.uuid)"
        }
    }

    /// Looks a credential up. nil for one that is unknown, has expired or is revoked.
    static func resolve(_ credential: String, in transaction: RegistryTransaction) throws -> Principal? {
        let hash = Secret.hash(credential)
        if let token = try transaction.token(hash: hash) {
            guard !token.revoked, token.expires > RegistryTransaction.now else { return nil }
            switch token.kind {
            case .access(let scope): return .token(token, scope)
            case .provisioning: return .provisioning(token)
            }
        }
        guard let device = try transaction.device(keyHash: hash), !device.revoked else { return nil }
        return .device(device)
    }
}
