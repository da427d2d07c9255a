import HTTPTypes
import JSON

/// A request that is not served; it ends with this answer.
struct Refusal: Error, Sendable {
    var answer: Answer

    init(_ answer: Answer) { self.answer = answer }

    init(_ status: Int, _ reason: String) { answer = .error(status, reason) }

    static let unauthorized = Refusal(401, "a valid token is required: Authorization: Bearer TOKEN")
    static let notFound = Refusal(404, "there is nothing at this path")
    static func methodNotAllowed(_ allowed: String) -> Refusal {
        Refusal(Answer.error(405, "the method is not allowed here; allowed: \(allowed)").with(.allow, allowed))
    }
}
