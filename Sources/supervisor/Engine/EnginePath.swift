import LinuxSupport

/// A path and a query as HTTP wants them (RFC 3986, sections 3.3 and 3.4).
struct EnginePath: CustomStringConvertible {
    private(set) var description: String

    /// Everything is encoded that could end a segment, a name or a value. What is nil in the query is left out.
    init(_ segments: [some StringProtocol], query: KeyValuePairs<String, String?> = [:]) {
        var text = ""
        for segment in segments {
            text += "/"
            // Unencoded as the engine's own clients send them: image names have both.
            text.append(contentsOf: PercentEncoding.encode(segment, keeping: "~:@"))
        }
        var separator = "?"
        for (name, value) in query {
            guard let value else { continue }
            text +=
                separator + PercentEncoding.encode(name, keeping: "~") + "="
                + PercentEncoding.encode(value, keeping: "~")
            separator = "&"
        }
        description = text
    }
}
