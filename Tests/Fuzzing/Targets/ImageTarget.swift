import HostOperations

@testable import SupervisorCore
@testable import SupervisorEngine

/// Names of images, hosts, addresses and versions.
struct ImageTarget: FuzzTarget {
    func run(_ input: [UInt8]) {
        let text = String(decoding: input, as: UTF8.self)
        if let image = ImageReference(parsing: text) {
            precondition(
                ImageReference(parsing: image.description) == image,
                "a reference is not what it was written as"
            )
            _ = EnginePath(["images"] + image.segments)
        }
        _ = RegistryHost(image: text)
        _ = RegistryHost(key: text) == RegistryHost(image: text)
        _ = try? EngineName(text, of: "container")
        _ = EngineAPIVersion(text)
        _ = Hostname(text)
        _ = IPv4Network.isValid(text)
        _ = AppID(digits: text)
    }
}
