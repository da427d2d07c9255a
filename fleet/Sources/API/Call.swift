import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import JSON
import NIOCore

/// One request, taken apart.
struct Call: Sendable {
    let request: Request
    /// The connection it came by.
    let channel: any Channel
    let method: String
    /// As it came, escapes included.
    let path: String
    let query: String
    /// The parts of the path, escapes decoded.
    let parts: [String]
    /// The address of the client, for limits and the journal.
    let address: String

    init(_ request: Request, address: String, channel: any Channel) {
        self.request = request
        self.address = address
        self.channel = channel
        method = request.method.rawValue
        let target = request.head.path ?? "/"
        let split = target.utf8.split(separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false)
        path = split.first.flatMap { String($0) } ?? "/"
        query = split.count > 1 ? String(split[1]) ?? "" : ""
        parts = path.utf8.split(separator: UInt8(ascii: "/")).map { part in
            let text = String(part) ?? ""
            return text.removingPercentEncoding ?? text
        }
    }

    /// The values of the query, escapes decoded; of two with one name the first.
    var parameters: [String: String] {
        var result: [String: String] = [:]
        for item in query.utf8.split(separator: UInt8(ascii: "&")).prefix(50) {
            let pair = item.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            func decoded(_ bytes: Substring.UTF8View?) -> String {
                let text = bytes.flatMap { String($0) } ?? ""
                return text.replacingOccurrences(of: "+", with: " ").removingPercentEncoding ?? text
            }
            let name = decoded(pair.first)
            if result[name] == nil { result[name] = decoded(pair.count > 1 ? pair[1] : nil) }
        }
        return result
    }

    /// The credential: `Authorization: Bearer …`, or `?apikey=`, which old clients send.
    var credential: String? {
        if let header = request.headers[.authorization] {
            let words = header.split(separator: " ", maxSplits: 1)
            guard words.count == 2, words[0].lowercased() == "bearer", words[1].utf8.count <= 512 else { return nil }
            return String(words[1])
        }
        return parameters["apikey"].flatMap { $0.utf8.count <= 512 && !$0.isEmpty ? $0 : nil }
    }

    func header(_ name: String) -> String? { HTTPField.Name(name).flatMap { request.headers[$0] } }

    func body(limit: Int) async throws -> [UInt8] {
        do {
            return Array(try await request.body.collect(upTo: limit).readableBytesView)
        } catch is NIOTooManyBytesError {
            throw Refusal(413, "the body is larger than \(limit) bytes")
        } catch let error as HTTPError where error.status.code == 413 {
            throw Refusal(413, "the body is larger than \(limit) bytes")
        }
    }

    func object(limit: Int = 64 << 10) async throws -> JSONObject {
        let bytes = try await body(limit: limit)
        do {
            guard case .object(let object) = try JSONValue(parsing: bytes) else {
                throw Refusal(400, "the body must be a JSON object")
            }
            return object
        } catch let error as JSONParseError {
            throw Refusal(400, "the body is not valid JSON: \(error)")
        }
    }
}
