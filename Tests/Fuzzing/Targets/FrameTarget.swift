import HostOperations
import JSON
import SupervisorPluginAPI

@testable import SupervisorPluginHost

/// What a plugin sends: frames, the handshake, results, and lines on standard error.
struct FrameTarget: FuzzTarget {
    private let manifest: PluginManifest

    init() {
        manifest = PluginManifest(
            name: "led",
            description: "",
            file: "/led.plugin",
            provides: ["led.blink", "proxy.get"],
            isEssential: false,
            priority: 0,
            launch: .socket(path: "/led"),
            lifecycle: .onDemand,
            idleTimeout: .seconds(1),
            startTimeout: .seconds(1),
            callTimeout: .seconds(1),
            stopTimeout: .seconds(1),
            deviceType: DeviceTypeMatch(),
            settings: [:]
        )
    }

    func run(_ input: [UInt8]) {
        guard let first = input.first else { return }
        let bytes = input.dropFirst()
        if first & 1 != 0 {
            var lines = DiagnosticSplitter()
            _ = lines.lines(completedBy: bytes)
            _ = lines.finish()
        }
        var splitter = FrameSplitter()
        let size = max(1, Int(first))
        var start = bytes.startIndex
        // A plugin that writes something else is ended at its first line of it.
        var isBroken = false
        while start < bytes.endIndex, !isBroken {
            let end = min(bytes.endIndex, start + size * 16)
            splitter.append(bytes[start..<end]) { line in
                guard !isBroken else { return }
                if case .success(let line) = line, let frame = try? Frame(parsing: line) {
                    take(frame)
                } else {
                    isBroken = true
                }
            }
            start = end
        }
        if let frame = try? Frame(parsing: bytes) { take(frame) }
    }

    private func take(_ frame: Frame) {
        let line = frame.encoded()
        precondition((try? Frame(parsing: line.dropLast()))?.encoded() == line, "a frame is not read as it was written")
        _ = Redaction.redacted(frame.json)
        switch frame {
        case .result(let id, let value):
            var table = RequestTable<Int>()
            _ = table.answer(id)
            guard let result = value.objectValue else { return }
            if let reply = try? PluginInitialize.Reply(json: result) { _ = Handshake.refusal(of: reply, by: manifest) }
            _ = try? ProxyGet.Reply(json: result)
            _ = try? HostnameGet.Reply(json: result)
            _ = try? PowerStatus.Reply(json: result)
            _ = try? LEDBlink.Reply(json: result)
        case .failure(_, let error):
            let call = PluginCall(operation: "a.b", parameters: ["password": "secret"], deadline: .zero) { _ in }
            call.fail(error, of: "led", isIdempotent: true)
        case .request(_, let method, let parameters), .notification(let method, let parameters):
            _ = method.debugDescription
            _ = try? PluginInitialize.Parameters(json: parameters)
            _ = try? TCPPingState(json: parameters)
            _ = try? PluginCancel(json: parameters)
        }
    }
}
