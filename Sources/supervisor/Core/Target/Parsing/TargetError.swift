/// Where a target state is wrong.
public struct TargetError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Line and column, or the path of the member, such as "apps.2167.services.1.image".
    public var place: String
    public var reason: String

    public var description: String { place.isEmpty ? reason : "\(place): \(reason)" }
}
