import SupervisorCore

/// A request as its route sees it.
struct Request: Sendable {
    /// For the log and for X-Request-Id.
    var id: String
    /// What stands for the parameter of the route's path, decoded.
    var parameter: String?
    var query: Substring
    var contentType: String?
    /// Empty for a route that takes no body.
    var bytes: [UInt8]

    /// Throws `invalidArgument` for a body that is not what RequestBody takes.
    var body: RequestBody {
        get throws(SupervisorError) { try RequestBody(bytes, contentType: contentType) }
    }

    /// The application that the path names.
    var appID: AppID {
        get throws(SupervisorError) {
            guard let id = AppID(digits: parameter ?? "") else {
                throw SupervisorError(.invalidArgument, "The appId in the path is not a number")
            }
            return id
        }
    }
}
