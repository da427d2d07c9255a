import NIOHTTP1

/// The two ways in which a request can show the API key.
enum Credentials {
    /// Whether the key in the query or the one in Authorization is accepted.
    ///
    /// A parameter `apikey` that is there twice is never right, nor are two Authorization fields: two programs on the
    /// way might each look at another one.
    static func areRight(query: Substring, headers: HTTPHeaders, accepts: (String) -> Bool) -> Bool {
        var given = FormFields(query).lazy.filter { $0.isNamed("apikey") }.makeIterator()
        let parameter = given.next()
        guard given.next() == nil else { return false }
        if let key = parameter?.value, accepts(key) { return true }
        guard let key = key(authorization: headers["Authorization"]) else { return false }
        return accepts(key)
    }

    /// The key of "Bearer KEY" or "ApiKey KEY", the scheme in any case.
    private static func key(authorization fields: [String]) -> String? {
        guard fields.count == 1, let field = fields.first else { return nil }
        let space = UInt8(ascii: " ")
        let bytes = field.utf8.drop { $0 == space }
        let scheme = bytes.prefix { $0 != space }
        guard ASCIIToken.matches(scheme, "bearer") || ASCIIToken.matches(scheme, "apikey") else { return nil }
        let key = bytes[scheme.endIndex...].drop { $0 == space }
        return key.isEmpty ? nil : String(Substring(key))
    }
}
