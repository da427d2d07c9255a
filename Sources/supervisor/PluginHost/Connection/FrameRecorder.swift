import SupervisorPluginAPI

/// The frames that went over a plugin's connection while a call was under way, without secrets.
///
/// Lives on the event loop.
final class FrameRecorder {
    enum Direction: String {
        case toPlugin = "to-plugin"
        case fromPlugin = "from-plugin"
    }

    /// Bytes of frames to keep; what follows is counted only, so that an answer stays within what a client reads.
    private static let limit = 256 << 10

    private let start: Duration
    private var size = 0
    private var dropped = 0
    private var frames: [JSONValue] = []

    init(start: Duration) {
        self.start = start
    }

    func record(_ direction: Direction, _ frame: JSONValue, at now: Duration) {
        let frame = Redaction.redacted(frame)
        size += frame.encoded().count
        guard size <= Self.limit else {
            dropped += 1
            return
        }
        frames.append([
            "direction": .string(direction.rawValue),
            "atMicroseconds": .integer(Int64((now - start) / .microseconds(1))),
            "frame": frame,
        ])
    }

    /// `frames`, and `framesDropped` where some were too many.
    var json: JSONObject {
        var json: JSONObject = ["frames": .array(frames)]
        if dropped > 0 { json["framesDropped"] = .integer(Int64(dropped)) }
        return json
    }
}
