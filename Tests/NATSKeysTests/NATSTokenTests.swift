import JSON
import Testing

@testable import NATSKeys

@Suite("A JWT of NATS")
struct NATSTokenTests {
    @Test("comes back with the signer's key")
    func comesBack() throws {
        let (account, user) = (NKey.generate(.account), NKey.generate(.user))
        let jwt = UserJWT(
            name: "ab12",
            key: user.publicKey,
            issuedAt: 5,
            expiresAt: 9,
            issuerAccount: "A1",
            isScoped: true
        )
        let token = jwt.signed(by: account)
        #expect(token.hasPrefix("eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ."))
        #expect(!token.contains("="))
        let claims = try NATSToken.claims(of: token)
        #expect(claims["iss"] == .string(account.publicKey))
        #expect(claims["sub"] == .string(user.publicKey))
        #expect(claims["exp"] == 9)
        // A user under a template must carry no permission.
        #expect(claims["nats"] == ["type": "user", "version": 2, "issuer_account": "A1"])
        #expect(try NATSToken.claims(of: jwt.signed(by: account))["jti"] != claims["jti"])
    }

    @Test("is refused where anything of it was changed")
    func refuses() throws {
        let token = UserJWT(name: "ab12", key: "U", issuedAt: 5).signed(by: .generate(.account))
        let parts = token.split(separator: ".")
        for (index, part) in parts.enumerated() {
            var changed = parts
            changed[index] = Substring((part.first == "e" ? "f" : "e") + part.dropFirst())
            #expect(throws: NKeyError.self) { try NATSToken.claims(of: changed.joined(separator: ".")) }
        }
        for text in ["", "a", "a.b", "a.b.c", "..", token + ".x", token + "=", "é.é.é"] {
            #expect(throws: NKeyError.self) { try NATSToken.claims(of: text) }
        }
    }

    @Test("of an account holds the template and what is revoked")
    func account() throws {
        let key = NKey.generate(.operatorKey)
        var jwt = AccountJWT(name: "FLEET", key: "A", issuedAt: 5)
        jwt.deviceSigningKey = "AD"
        jwt.revocations = [.init(user: "U1", until: 7), .init(user: "U2", until: 8)]
        let nats = try NATSToken.claims(of: jwt.signed(by: key))["nats"]
        #expect(nats?["revocations"] == ["U1": 7, "U2": 8])
        let template = nats?["signing_keys"]?.arrayValue?.first?["template"]
        #expect(
            template?.objectValue.map { JSONValue.object($0).text }
                == #"{"sub":{"allow":["sup.v1.dev.{{name()}}.call","sup.v1.dev.{{name()}}.more","sup.v1.dev.{{name()}}.cancel","sup.v1.dev.{{name()}}.poke"]},"pub":{},"resp":{"max":-1,"ttl":3600000000000},"subs":8,"data":-1,"payload":524288,"allowed_connection_types":["STANDARD","WEBSOCKET"]}"#
        )
        #expect(nats?["exports"] == nil)
    }
}
