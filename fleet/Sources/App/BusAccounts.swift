import Foundation
import NATSKeys

/// The JWTs by which the bus knows whom to let do what.
struct BusAccounts: Sendable {
    let keys: StateDirectory.Keys

    private static var now: Int64 { Int64(Date().timeIntervalSince1970) }

    var operatorJWT: String {
        OperatorJWT(
            name: "supervisor-fleet",
            key: keys.operatorKey.publicKey,
            systemAccount: keys.systemAccount.publicKey,
            issuedAt: Self.now
        ).signed(by: keys.operatorKey)
    }

    var systemAccountJWT: String {
        var account = AccountJWT(name: "SYS", key: keys.systemAccount.publicKey, issuedAt: Self.now)
        account.isSystem = true
        account.maxPayload = -1
        return account.signed(by: keys.operatorKey)
    }

    /// The account of devices and service, with the keys that must not log in any more, and since when (seconds).
    func accountJWT(revocations: [String: Int64]) -> String {
        var account = AccountJWT(name: "FLEET", key: keys.account.publicKey, issuedAt: Self.now)
        account.maxPayload = 1 << 20
        account.deviceSigningKey = keys.signing.publicKey
        account.revocations = revocations.map { AccountJWT.Revocation(user: $0.key, until: $0.value) }
        return account.signed(by: keys.operatorKey)
    }

    /// The service's own login, to an account whose key it has.
    func serviceJWT(for user: NKey, account: NKey) -> String {
        var jwt = UserJWT(name: "supervisor-fleet", key: user.publicKey, issuedAt: Self.now, expiresAt: nil)
        jwt.isScoped = false
        return jwt.signed(by: account)
    }

    /// A device's login. `uuid` becomes part of its permissions, so it must be one (`FleetDevice.isUUID`).
    func deviceJWT(uuid: String, user: String, issued: Int64, expires: Int64) -> String {
        var jwt = UserJWT(name: uuid, key: user, issuedAt: issued, expiresAt: expires)
        jwt.issuerAccount = keys.account.publicKey
        jwt.isScoped = true
        return jwt.signed(by: keys.signing)
    }
}
