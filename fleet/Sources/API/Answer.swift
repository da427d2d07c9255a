import HTTPTypes
import Hummingbird
import HummingbirdCore
import JSON
import NIOCore

/// An answer of the HTTP interface.
struct Answer: Sendable {
    var status: Int
    var contentType: String?
    var body: ResponseBody
    var headers: [(HTTPField.Name, String)] = []

    init(_ status: Int, _ value: JSONValue) {
        self.init(status, "application/json; charset=utf-8", value.encoded())
    }

    init(_ status: Int) {
        self.status = status
        body = ResponseBody()
    }

    init(_ status: Int, text: String) {
        self.init(status, "text/plain; charset=utf-8", Array(text.utf8))
    }

    init(_ status: Int, _ contentType: String, _ bytes: [UInt8]) {
        self.status = status
        self.contentType = contentType
        body = ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
    }

    init(_ status: Int, _ contentType: String, stream body: ResponseBody) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    /// What a device has answered, passed on.
    init(_ answer: DeviceAnswer) {
        switch answer.body {
        case .none: self.init(answer.status)
        case .json(let value): self.init(answer.status, value)
        case .text(let text): self.init(answer.status, text: text)
        }
    }

    static func error(_ status: Int, _ reason: String) -> Answer { Answer(status, ["error": .string(reason)]) }

    func with(_ name: HTTPField.Name, _ value: String) -> Answer {
        var answer = self
        answer.headers.append((name, value))
        return answer
    }

    var response: Response {
        var fields = HTTPFields()
        if let contentType { fields[.contentType] = contentType }
        for (name, value) in headers { fields[name] = value }
        return Response(status: .init(code: status), headers: fields, body: body)
    }
}
