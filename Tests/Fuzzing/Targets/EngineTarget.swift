import JSON
import NIOCore
import UnixHTTP

@testable import SupervisorCore
@testable import SupervisorEngine

/// Answers of the container engine. The first byte chooses which.
struct EngineTarget: FuzzTarget {
    func run(_ input: [UInt8]) {
        guard let first = input.first else { return }
        let content = Array(input.dropFirst())
        switch first % 8 {
        case 0: list(content)
        case 1:
            if let answer = try? JSONValue(parsing: content) { _ = try? EngineContainerDetail(inspected: answer) }
        case 2: stream(EventConsumer { _ in }, content, first)
        case 3:
            var consumer = stream(PullConsumer { _ in }, content, first)
            consumer.finish()
        case 4, 5:
            var consumer = stream(LogConsumer(hasFrames: first % 8 == 4) { _ in }, content, first)
            consumer.finish()
        case 6: failure(content)
        default:
            guard let answer = try? JSONValue(parsing: content) else { return }
            if let network = try? EngineNetwork(listed: answer) { _ = CurrentState.Network(network) }
            _ = DockerEngine.name(server: nil, details: answer)
            _ = DockerEngine.gateway(of: answer)
        }
    }

    private func list(_ content: [UInt8]) {
        let entries = (try? JSONValue(parsing: content))?.arrayValue ?? []
        let containers = entries.compactMap { try? EngineContainer(listed: $0) }
        var inventory = Inventory()
        inventory.replace(containers: containers, since: inventory.beginListing())
        for app in inventory.apps {
            _ = inventory.containers(of: app)
            for instance in inventory.instances(of: app) { _ = inventory.isShared(instance.key, with: "x") }
        }
        _ = TargetState.recovered(from: containers)
    }

    private func failure(_ content: [UInt8]) {
        let response = UnixHTTPResponse(status: 500, body: content)
        _ = EngineError(response, attempting: "try")
        guard let image = ImageReference(parsing: "registry.example/a:1") else { return }
        _ = EngineError(
            download: image,
            message: response.engineMessage,
            hasCredentials: false,
            otherwise: .failed
        )
    }

    @discardableResult
    private func stream<Consumer: BodyConsumer>(_ consumer: Consumer, _ content: [UInt8], _ first: UInt8) -> Consumer {
        var consumer = consumer
        consumer.begin()
        let size = 1 + Int(first >> 3) * 37
        for start in stride(from: 0, to: content.count, by: size) {
            let piece = content[start..<min(content.count, start + size)]
            if consumer.receive(ByteBuffer(bytes: piece)) == .stop { break }
        }
        return consumer
    }
}
