internal import JSON
internal import LinuxSupport

/// How far a download is, from the messages of `POST /images/create`.
///
/// Every layer counts by its compressed size, once that is known (the engine learns it when the layer's turn comes),
/// and by the mean of the known ones until then. A layer is done when it is downloaded; unpacking is not measured.
/// podman reports only beginnings and ends of layers, so its steps are whole layers.
struct PullProgress: Sendable {
    private struct Layer {
        /// Bytes.
        var current: Int64 = 0
        /// Bytes; nil until the engine knows.
        var total: Int64?
        var isComplete = false

        var fraction: Double {
            if isComplete { return 1 }
            guard let total, total > 0 else { return 0 }
            return min(1, max(0, Double(current) / Double(total)))
        }
    }

    /// An image may have 127 layers; more than this is not an image.
    private static let layerLimit = 512

    private var layers: [String: Layer] = [:]

    /// From 0 to 100; never falls, although layers may start again.
    private(set) var percentage: Double = 0

    /// The engine's message when it gave up; the status of the answer does not show a failure.
    private(set) var failure: String?

    init() {}

    /// Takes in one message of the stream. What it does not know changes nothing.
    mutating func receive(_ message: JSONValue) {
        if let text = message["errorDetail"]?["message"]?.stringValue ?? message["error"]?.stringValue {
            failure = failure ?? text.oneLine
            return
        }
        guard let id = message["id"]?.plainValue, let status = message["status"]?.plainValue else { return }
        if update(id, status: status, detail: message["progressDetail"]) {
            percentage = max(percentage, mean() * 100)
        }
    }

    /// Returns whether the message shows that the download is under way. Until then not all layers are known: those that
    /// are there already are announced before those that are not, and would be all there is.
    private mutating func update(_ id: String, status: String, detail: JSONValue?) -> Bool {
        switch status {
        case "Pulling fs layer":
            if layers.count < Self.layerLimit, layers[id] == nil { layers[id] = Layer() }
            return false
        case "Already exists":
            if layers.count < Self.layerLimit || layers[id] != nil { layers[id, default: Layer()].isComplete = true }
            return false
        case "Downloading":
            layers[id]?.current = detail?["current"]?.integerValue ?? 0
            learn(detail, of: id)
        case "Extracting":
            learn(detail, of: id)
            layers[id]?.isComplete = true
        case "Download complete", "Pull complete":
            // Only of layers that were announced: podman ends with such a line for the image itself.
            layers[id]?.isComplete = true
        case _ where status.begins(with: "Retrying"):
            layers[id]?.current = 0
            layers[id]?.isComplete = false
        default:
            return false
        }
        return true
    }

    private mutating func learn(_ detail: JSONValue?, of id: String) {
        if let total = detail?["total"]?.integerValue, total > 0 { layers[id]?.total = total }
    }

    /// From 0 to 1.
    private func mean() -> Double {
        let known = layers.values.compactMap(\.total).map(Double.init)
        let usual = known.isEmpty ? 1 : known.reduce(0, +) / Double(known.count)
        var (done, all) = (0.0, 0.0)
        for layer in layers.values {
            let weight = layer.total.map(Double.init) ?? usual
            done += layer.fraction * weight
            all += weight
        }
        return all > 0 ? min(1, done / all) : 0
    }
}
