/// How soon a connection may be closed in favour of a new one, the first to go first.
///
/// A crowd that has no key can open as many connections as it likes and send half a request on each. It must not get rid of
/// clients with the key, nor of a slow client from somewhere else before its own connections.
enum ConnectionStanding: Int, Comparable {
    /// Nothing is asked, or all that was asked has been answered.
    case idle
    /// Part of a request of more than a page has come, which waits its turn, and it is not known yet whether it has the key.
    case large
    /// The connection is new, and its first bytes may be there already, or part of a request has come and it is not known yet whether it has the key.
    case begun
    /// The client has shown the key, and asks nothing at present.
    case known

    static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}
