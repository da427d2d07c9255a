public import NIOHTTP1

/// An answer.
public struct UnixHTTPResponse: Sendable, Equatable {
    public var status: Int
    public var headers: HTTPHeaders
    /// Empty where a consumer had it.
    public var body: [UInt8]

    public init(status: Int, headers: HTTPHeaders = [:], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// Whether the status is one of 2xx.
    public var isSuccess: Bool { (200..<300).contains(status) }
}
