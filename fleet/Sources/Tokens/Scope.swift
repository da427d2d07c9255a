/// What a token may do; each scope includes the ones before it.
enum Scope: String, Sendable, CaseIterable, Comparable {
    case read, operate, deploy, admin

    static func < (a: Scope, b: Scope) -> Bool { a.rank < b.rank }

    private var rank: Int {
        switch self {
        case .read: 0
        case .operate: 1
        case .deploy: 2
        case .admin: 3
        }
    }
}
