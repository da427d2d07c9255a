import CLinux
import Glibc
public import Logging
public import NIOCore
public import SupervisorPorts

/// All watches of the process over one descriptor of inotify(7).
///
/// A watch follows the directory, not the path: when the directory is renamed away, its watch reports nil and continues
/// with the directory; when it is removed or unmounted, it reports nil and is dead. A caller that is interested in the
/// path then calls `unwatch`, watches the path again, and checks what is there in any case.
public final class InotifyWatcher: DirectoryWatcher {
    private let loop: any EventLoop
    private let table: NIOLoopBoundBox<WatchTable>
    private let channel: any Channel
    /// Owned by the channel; usable only while that is open.
    private let descriptor: Int32

    private static let mask = UInt32(
        IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF
            | IN_MOVE_SELF | IN_EXCL_UNLINK | IN_ONLYDIR
    )

    private init(descriptor: Int32, table: NIOLoopBoundBox<WatchTable>, channel: any Channel) {
        self.loop = channel.eventLoop
        self.table = table
        self.channel = channel
        self.descriptor = descriptor
    }

    /// Fails with what inotify_init1(2) says, most likely that the user has too many instances.
    public static func start(on loop: any EventLoop, logger: Logger) -> EventLoopFuture<InotifyWatcher> {
        let descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        guard descriptor >= 0 else {
            return loop.makeFailedFuture(IOError(errnoCode: errno, reason: "inotify_init1"))
        }
        let table = NIOLoopBoundBox.makeBoxSendingValue(WatchTable(), eventLoop: loop)
        let parser = NIOLoopBoundBox.makeBoxSendingValue(InotifyParser(), eventLoop: loop)
        return DescriptorReader.start(descriptor, name: "inotify", on: loop, logger: logger) { bytes in
            for event in parser.value.parse(bytes) {
                let (watches, name) = table.value.concerned(by: event)
                // One callback may end or begin other watches: each is looked up when its turn comes.
                for watch in watches { table.value.callback(of: watch)?(name) }
                table.value.forgetEnded(by: event)
            }
        }
        .map { InotifyWatcher(descriptor: descriptor, table: table, channel: $0) }
    }

    public func watch(
        _ directory: String,
        onChange: @escaping @Sendable (String?) -> Void
    ) throws(WatchError) -> WatchToken {
        loop.preconditionInEventLoop()
        guard channel.isActive else {
            throw WatchError(directory: directory, code: EBADF, description: "\(directory): no longer watched")
        }
        let number = inotify_add_watch(descriptor, directory, Self.mask)
        guard number >= 0 else {
            let code = errno
            let reason = String(cString: strerror(code))
            throw WatchError(directory: directory, code: code, description: "\(directory): \(reason)")
        }
        return table.value.add(to: number, onChange)
    }

    public func unwatch(_ token: WatchToken) {
        loop.preconditionInEventLoop()
        // Pending events for the number are then ignored; the kernel does not assign the number again.
        guard let unused = table.value.remove(token), channel.isActive else { return }
        inotify_rm_watch(descriptor, unused)
    }

    /// Ends all watches.
    public func close() -> EventLoopFuture<Void> {
        let done = channel.closeFuture
        channel.close(promise: nil)
        return done
    }
}
