public import JSON

/// led.blink: blinks the board's LED, 200 ms on and 200 ms off. Replies once blinking has started. A second call while
/// it blinks extends it. Afterwards the LED is as it was.
public enum LEDBlink: HostOperation {
    public static let name = "led.blink"
    public static let isIdempotent = true

    public struct Parameters: PluginPayload, Hashable {
        /// From now on; 1 to 600,000.
        public var durationMs: Int64

        public init(durationMs: Int64) {
            self.durationMs = durationMs
        }

        public init(json: JSONObject) throws(PluginError) {
            durationMs = try json.integer("durationMs", in: 1...600_000)
        }

        public var json: JSONObject { ["durationMs": .integer(durationMs)] }
    }

    public struct Reply: PluginPayload, Hashable {
        /// Whether there is a LED; `{}` means that there is.
        public var isSupported: Bool

        public init(isSupported: Bool) {
            self.isSupported = isSupported
        }

        public init(json: JSONObject) throws(PluginError) {
            isSupported = json["supported"]?.boolValue ?? true
        }

        public var json: JSONObject { isSupported ? [:] : ["supported": false] }
    }
}
