/// A token of a person or a program, or the provisioning token of an application. Times are milliseconds since 1970.
struct Token: Sendable {
    enum Kind: Sendable, Hashable {
        case access(Scope)
        /// Registers devices of its one application, and does nothing else.
        case provisioning
    }

    var id: Int64
    var name: String
    var kind: Kind
    /// nil: all of them.
    var applications: [Int64]?
    /// How many more devices a provisioning token registers.
    var remaining: Int64?
    var created: Int64
    var expires: Int64
    var lastUsed: Int64?
    var revoked: Bool

    func covers(application: Int64) -> Bool { applications?.contains(application) ?? true }

    /// Whether a text can name a token: names go into journals.
    static func isName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || " ._@-".utf8.contains(byte)
            }
    }
}
