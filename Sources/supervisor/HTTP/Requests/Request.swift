import SupervisorCore

/// A request as its route sees it.
struct Request: Sendable {
    /// For the log and for X-Request-Id.
    var id: String
    /// The value of the parameter in the route's path, decoded.
    var parameter: String?
    var query: Substring
    var contentType: String?
    /// Empty for a route that takes no body.
    var bytes: [UInt8]

    private var decoded: Result<RequestBody, SupervisorError>?

    init(id: String, parameter: String?, query: Substring, contentType: String?, bytes: [UInt8]) {
        self.id = id
        self.parameter = parameter
        self.query = query
        self.contentType = contentType
        self.bytes = bytes
    }

    /// Has `body` known from now on.
    mutating func decodeBody() {
        do throws(SupervisorError) {
            decoded = .success(try RequestBody(bytes, contentType: contentType))
        } catch {
            decoded = .failure(error)
        }
        bytes = []
    }

    /// Throws `invalidArgument` for a body that is not what RequestBody takes.
    var body: RequestBody {
        get throws(SupervisorError) {
            if let decoded { return try decoded.get() }
            return try RequestBody(bytes, contentType: contentType)
        }
    }

    /// The last field of the query with that name; nil where there is none. Throws `invalidArgument` where it is not well
    /// encoded.
    func field(_ name: String) throws(SupervisorError) -> String? {
        var value: String?
        for field in FormFields(query) where field.isNamed(name) {
            guard let text = field.value else {
                throw SupervisorError(.invalidArgument, "\(name) in the query is not well encoded")
            }
            value = text
        }
        return value
    }

    /// As `field`, for a whole number.
    func number(_ name: String, in range: ClosedRange<Int64>) throws(SupervisorError) -> Int64? {
        guard let text = try field(name) else { return nil }
        guard let number = Int64(text), range.contains(number) else {
            throw SupervisorError(
                .invalidArgument,
                "\(name) in the query is not a number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return number
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
