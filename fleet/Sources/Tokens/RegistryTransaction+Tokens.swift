extension RegistryTransaction {
    private func token(_ row: SQLRow) throws -> Token {
        let scope = try row.text(2)
        guard let kind = scope == "provisioning" ? .provisioning : Scope(rawValue: scope).map({ Token.Kind.access($0) })
        else { throw SQLError(message: "a token has the unknown scope \(scope)") }
        return Token(
            id: try row.integer(0),
            name: try row.text(1),
            kind: kind,
            applications: try row.optionalText(3)?.split(separator: ",").compactMap { Int64($0) },
            remaining: try row.optionalInteger(4),
            created: try row.integer(5),
            expires: try row.integer(6),
            lastUsed: try row.optionalInteger(7),
            revoked: try row.bool(8)
        )
    }

    func token(hash: String) throws -> Token? {
        try sql.query(
            """
            SELECT id, name, scope, applications, remaining, created, expires, last_used, revoked FROM tokens
            WHERE hash = $1
            """,
            [.text(hash)]
        ).first.map(token)
    }

    func token(id: Int64) throws -> Token? {
        try sql.query(
            """
            SELECT id, name, scope, applications, remaining, created, expires, last_used, revoked FROM tokens
            WHERE id = $1
            """,
            [.integer(id)]
        ).first.map(token)
    }

    func tokens(after id: Int64, limit: Int64) throws -> [Token] {
        try sql.query(
            """
            SELECT id, name, scope, applications, remaining, created, expires, last_used, revoked FROM tokens
            WHERE id > $1 ORDER BY id LIMIT $2
            """,
            [.integer(id), .integer(limit)]
        ).map(token)
    }

    /// Makes a token. The secret is in the answer and nowhere else.
    func createToken(
        name: String,
        kind: Token.Kind,
        applications: [Int64]?,
        expires: Int64,
        remaining: Int64? = nil
    ) throws -> (Token, secret: String) {
        let secret = Secret.hex(bytes: 32)
        let token = Token(
            id: try nextIdentifier(of: "token"),
            name: name,
            kind: kind,
            applications: applications,
            remaining: remaining,
            created: Self.now,
            expires: expires,
            lastUsed: nil,
            revoked: false
        )
        let scope =
            switch kind {
            case .access(let scope): scope.rawValue
            case .provisioning: "provisioning"
            }
        _ = try sql.query(
            """
            INSERT INTO tokens (id, name, hash, scope, applications, remaining, created, expires)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            [
                .integer(token.id), .text(name), .text(Secret.hash(secret)), .text(scope),
                SQLValue(applications?.map(String.init).joined(separator: ",")), SQLValue(remaining),
                .integer(token.created), .integer(expires),
            ]
        )
        return (token, secret)
    }

    func revokeToken(id: Int64) throws {
        _ = try sql.query("UPDATE tokens SET revoked = 1 WHERE id = $1", [.integer(id)])
    }

    func noteUse(ofToken id: Int64) throws {
        _ = try sql.query("UPDATE tokens SET last_used = $2 WHERE id = $1", [.integer(id), .integer(Self.now)])
    }

    /// Takes one device off a provisioning token's number; false where none is left.
    func useProvisioning(token id: Int64) throws -> Bool {
        try !sql.query(
            "UPDATE tokens SET remaining = remaining - 1 WHERE id = $1 AND remaining > 0 RETURNING remaining",
            [.integer(id)]
        ).isEmpty
    }

    /// Keeps the digest of the request that a token sent with a key; false where the key came with another request.
    func claim(idempotencyKey key: String, token: Int64, digest: String) throws -> Bool {
        _ = try sql.query(
            "INSERT INTO idempotency (token, name, digest, at) VALUES ($1, $2, $3, $4) ON CONFLICT (token, name) DO NOTHING",
            [.integer(token), .text(key), .text(digest), .integer(Self.now)]
        )
        let rows = try sql.query(
            "SELECT digest FROM idempotency WHERE token = $1 AND name = $2",
            [.integer(token), .text(key)]
        )
        return try rows.first?.text(0) == digest
    }
}
