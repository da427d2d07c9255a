import Glibc
import LinuxSupport
import SupervisorEventLoop

/// The file through which the supervisor gets the service's target. It holds the values of variables, so that only the group
/// may read it, which the supervisor belongs to.
struct TargetHandOver: Sendable {
    let directory: String
    private let worker = TransientWorker(name: "target", limit: 2)
    private var path: String { directory + "/target.json" }

    init(directory: String) {
        self.directory = directory
    }

    /// The device has left the service. The supervisor goes on with what it has.
    func remove() async throws(CloudError) {
        let path = path
        do {
            try await worker.run {
                guard unlink(path) == 0 || errno == ENOENT else { throw SystemCallError("unlink", path) }
            }
        } catch {
            throw CloudError(.local, "the target of the service cannot be removed: \(error)")
        }
    }

    /// Replaces the target, never in part.
    func write(_ bytes: [UInt8]) async throws(CloudError) {
        let (directory, path) = (directory, path)
        do {
            try await worker.run {
                try FileSystem.makeDirectories(directory, mode: 0o750)
                try FileSystem.write(bytes, to: path + ".new", mode: 0o640)
                try FileSystem.rename(path + ".new", path)
                try FileSystem.synchronize(directory: directory)
            }
        } catch {
            throw CloudError(.local, "the target of the service cannot be handed over: \(error)")
        }
    }
}
