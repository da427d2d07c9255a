import Glibc

/// Reading from and writing to descriptors: the only loops over read(2) and write(2), so that all of them are bounded, take
/// up again what a signal has interrupted, and report the call, the path and errno(3).
///
/// `path` is what errors name. Calls on a descriptor that blocks may block.
package enum Descriptor {
    /// Why reading ended.
    package enum ReadEnd: Sendable, Hashable {
        case endOfFile
        /// As many bytes were read as were asked for; there may be more.
        case limit
        /// The descriptor does not block, and there is nothing more at present.
        case wouldBlock
    }

    // MARK: Reading

    /// What one read(2) brings: nothing at the end of the file; nil where the descriptor does not block and has nothing.
    package static func readOnce(
        _ descriptor: Int32,
        _ path: String,
        upTo limit: Int
    ) throws(SystemCallError) -> [UInt8]? {
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            var result: Int
            repeat { result = Glibc.read(descriptor, buffer.baseAddress, limit) } while result < 0 && errno == EINTR
            code = result < 0 ? errno : 0
            count = max(result, 0)
        }
        if code == EAGAIN { return nil }
        guard code == 0 else { throw SystemCallError("read", path, code: code) }
        return bytes
    }

    /// Reads piece by piece until the end, until `limit` bytes are read, or until there is nothing at present.
    @discardableResult
    package static func read(
        _ descriptor: Int32,
        _ path: String,
        upTo limit: Int = .max,
        _ receive: ([UInt8]) -> Void
    ) throws(SystemCallError) -> ReadEnd {
        var left = limit
        while left > 0 {
            guard let piece = try readOnce(descriptor, path, upTo: min(left, 16 << 10)) else { return .wouldBlock }
            if piece.isEmpty { return .endOfFile }
            receive(piece)
            left -= piece.count
        }
        return .limit
    }

    /// The first bytes of a file, at most `limit` of them.
    package static func readStart(
        _ descriptor: Int32,
        _ path: String,
        limit: Int
    ) throws(SystemCallError) -> [UInt8] {
        var bytes: [UInt8] = []
        let end = try read(descriptor, path, upTo: limit) { bytes += $0 }
        if end == .wouldBlock { throw SystemCallError("read", path, code: EAGAIN) }
        return bytes
    }

    /// The whole of a file. One that is longer than `limit` bytes is an error with EFBIG.
    package static func readAll(_ descriptor: Int32, _ path: String, limit: Int) throws(SystemCallError) -> [UInt8] {
        let bytes = try readStart(descriptor, path, limit: limit + 1)
        guard bytes.count <= limit else { throw SystemCallError("read", path, code: EFBIG) }
        return bytes
    }

    // MARK: Writing

    /// Hands bytes to the kernel with one write(2). Returns how many it took; 0 where the descriptor does not block and has
    /// no room.
    package static func writeOnce(
        _ bytes: ArraySlice<UInt8>,
        to descriptor: Int32,
        _ path: String
    ) throws(SystemCallError) -> Int {
        let (count, code) = bytes.withUnsafeBytes { bytes in
            var result: Int
            repeat {
                result = Glibc.write(descriptor, bytes.baseAddress, bytes.count)
            } while result < 0 && errno == EINTR
            return (result, result < 0 ? errno : 0)
        }
        if code == EAGAIN { return 0 }
        guard code == 0 else { throw SystemCallError("write", path, code: code) }
        return count
    }

    /// Writes all bytes. Where the descriptor does not block, waits for room, each time for at most `patience` milliseconds,
    /// after which the error is ETIMEDOUT; -1 waits for ever.
    package static func writeAll(
        _ bytes: [UInt8],
        to descriptor: Int32,
        _ path: String,
        patience: Int32 = -1
    ) throws(SystemCallError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = try writeOnce(rest, to: descriptor, path)
            rest = rest.dropFirst(count)
            guard count == 0 else { continue }
            var room = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            if poll(&room, 1, patience) == 0 { throw SystemCallError("write", path, code: ETIMEDOUT) }
        }
    }
}
