import Glibc
import LinuxSupport
import Synchronization

/// Writes frames, each in one piece, from any thread.
final class FrameWriter: Sendable {
    private let descriptor: Int32
    private let isBroken = Mutex(false)

    /// Milliseconds that a caller may take to read what is written; after that the caller counts as gone and nothing
    /// more is written.
    private static let patience: Int32 = 5000

    /// `descriptor` does not block.
    init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    func write(_ frame: Frame) {
        var bytes = frame.encoded()
        if bytes.count - 1 > PluginProtocol.maximumFrameSize {
            let id: RequestID?
            switch frame {
            case .result(let request, _): id = request
            case .failure(let request, _): id = request
            case .request, .notification: return PluginLog.error("the frame to be sent exceeds the size limit")
            }
            bytes = Frame.failure(id: id, PluginError(.failed, "the answer exceeds the size limit of a frame"))
                .encoded()
        }
        isBroken.withLock { isBroken in
            if !isBroken { isBroken = !writeAll(bytes) }
        }
    }

    private func writeAll(_ bytes: [UInt8]) -> Bool {
        do throws(SystemCallError) {
            try Descriptor.writeAll(bytes, to: descriptor, "standard output", patience: Self.patience)
            return true
        } catch {
            if error.code == ETIMEDOUT { PluginLog.error("the supervisor does not read; nothing more is written") }
            return false
        }
    }
}
