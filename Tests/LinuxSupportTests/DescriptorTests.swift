import Glibc
import LinuxSupport
import Synchronization
import TestSupport
import Testing

struct DescriptorTests {
    private let files = TemporaryDirectory()

    /// Opens a file of so many bytes.
    private func withFile<Result>(of count: Int, _ body: (Int32) throws -> Result) rethrows -> Result {
        let descriptor = open(files.write(Self.bytes(count), to: "file"), O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        return try body(descriptor)
    }

    private static func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) } }

    /// Runs `body` with the two ends of a pipe that do not block.
    private func withPipe(_ body: (_ output: Int32, _ input: Int32) throws -> Void) throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
        try body(ends[0], ends[1])
    }

    @Test(arguments: [0, 1, 16 << 10, 16 << 10 + 1, 100_000])
    func `a whole file is read, however long it is`(count: Int) throws {
        let bytes = try withFile(of: count) { try Descriptor.readAll($0, "file", limit: 100_000) }
        #expect(bytes == Self.bytes(count))
    }

    @Test func `a file longer than the limit is an error, or is cut, as the caller likes`() throws {
        _ = withFile(of: 101) { descriptor in
            #expect(throws: SystemCallError("read", "file", code: EFBIG)) {
                try Descriptor.readAll(descriptor, "file", limit: 100)
            }
        }
        let start = try withFile(of: 101) { try Descriptor.readStart($0, "file", limit: 100) }
        #expect(start == Self.bytes(100))
    }

    @Test func `an error names call, path and reason`() {
        let error = #expect(throws: SystemCallError.self) { try Descriptor.readAll(-1, "/some/file", limit: 1) }
        #expect(error?.description == "read /some/file: Bad file descriptor")
        #expect(throws: SystemCallError("write", "x", code: EBADF)) { try Descriptor.writeAll([1], to: -1, "x") }
    }

    @Test func `reading from a pipe tells what is missing from the end`() throws {
        try withPipe { output, input in
            var bytes: [UInt8] = []
            #expect(try Descriptor.read(output, "pipe") { bytes += $0 } == .wouldBlock)
            #expect(throws: SystemCallError("read", "pipe", code: EAGAIN)) {
                try Descriptor.readAll(output, "pipe", limit: 10)
            }
            try Descriptor.writeAll([1, 2, 3], to: input, "pipe")
            #expect(try Descriptor.read(output, "pipe", upTo: 2) { bytes += $0 } == .limit)
            #expect(try Descriptor.read(output, "pipe") { bytes += $0 } == .wouldBlock)
            #expect(bytes == [1, 2, 3])
        }
        var bytes: [UInt8] = []
        try withPipe { output, input in
            try Descriptor.writeAll([4], to: input, "pipe")
            dup2(STDIN_FILENO, input)
            #expect(try Descriptor.read(output, "pipe") { bytes += $0 } == .endOfFile)
        }
        #expect(bytes == [4])
    }

    @Test func `what does not fit is written when there is room, and given up when nobody reads`() throws {
        let bytes = Self.bytes(300_000)
        try withPipe { output, input in
            #expect(throws: SystemCallError("write", "pipe", code: ETIMEDOUT)) {
                try Descriptor.writeAll(bytes, to: input, "pipe", patience: 20)
            }
            #expect(try Descriptor.writeOnce([1], to: input, "pipe") == 0)
            var rest: [UInt8] = []
            try Descriptor.read(output, "pipe") { rest += $0 }
            #expect(bytes.starts(with: rest) && !rest.isEmpty)
            let count = Counter()
            TestThread.start {
                while count.value < 300_000 {
                    _ = try? Descriptor.read(output, "pipe") { count.add($0.count) }
                }
            }
            try Descriptor.writeAll(bytes, to: input, "pipe", patience: 10_000)
            while count.value < 300_000 { usleep(1000) }
        }
    }
}

private final class Counter: Sendable {
    private let count = Atomic(0)

    var value: Int { count.load(ordering: .relaxed) }

    func add(_ number: Int) { count.add(number, ordering: .relaxed) }
}
