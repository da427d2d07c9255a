import JSON
import LinuxSupport

/// The target file as it was read: parsing a large one takes too long for the event loop.
struct TargetFile: Sendable {
    let fingerprint: String
    /// nil where the file says the same as before.
    private(set) var reading: Result<(target: TargetState, json: JSONValue), TargetError>?
    private(set) var rejections: [TargetRejection] = []
    private(set) var warnings: [String] = []

    /// nil where there is no file. May block.
    ///
    /// - Parameter known: the fingerprint of what was read before; nil to parse the file in any case.
    init?(_ path: String, limit: Int, known: String?) throws {
        guard let bytes = try FileSystem.read(path, limit: limit) else { return nil }
        var digest = ConfigurationDigest()
        digest.add(bytes)
        fingerprint = digest.text
        guard fingerprint != known else { return }
        var parser = TargetParser()
        do throws(TargetError) {
            reading = .success(try parser.parse(bytes))
        } catch {
            reading = .failure(error)
        }
        (rejections, warnings) = (parser.rejections, parser.warnings)
    }
}
