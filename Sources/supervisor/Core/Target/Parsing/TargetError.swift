/// Where a target state is wrong.
struct TargetError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Line and column, or the path of the member, such as "apps.2167.services.1.image".
    var place: String
    var reason: String

    var description: String { place.isEmpty ? reason : "\(place): \(reason)" }
}
