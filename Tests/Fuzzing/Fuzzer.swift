import Glibc

/// What libFuzzer calls (https://llvm.org/docs/LibFuzzer.html). The first argument of the program names the target, the rest
/// is libFuzzer's; scripts/fuzz puts them together.
///
/// An input that crashes is a find, and so is one that takes more than 50 ms of processor time for 100 kB.
enum Fuzzer {
    /// `nonisolated(unsafe)`: libFuzzer calls from one thread, and only there.
    nonisolated(unsafe) private static var target: (any FuzzTarget)?
    /// The longest time for an input so far, and the size of that input.
    nonisolated(unsafe) private static var slowest: (nanoseconds: UInt64, size: Int) = (0, 0)

    static func select(_ name: String) {
        guard let type = FuzzTargets.all[name] else {
            let names = FuzzTargets.all.keys.sorted().joined(separator: " ")
            print("usage: supervisor-fuzz TARGET [OPTIONS OF LIBFUZZER]\ntargets: \(names)")
            exit(64)
        }
        target = type.init()
        atexit { Fuzzer.report() }
    }

    private static func report() {
        print("slowest: \(slowest.nanoseconds / 1000) us for \(slowest.size) bytes")
    }

    // MARK: One input

    static func run(_ bytes: UnsafeBufferPointer<UInt8>) {
        let input = Array(bytes)
        let time = measure(CLOCK_MONOTONIC, input)
        if time > slowest.nanoseconds { slowest = (time, input.count) }
        guard time > limit(input.count) else { return }
        // The machine may have been busy with something else: only what is slow each time, by its own processor time, is slow.
        let again = (0..<3).map { _ in measure(CLOCK_THREAD_CPUTIME_ID, input) }.min() ?? 0
        guard again > limit(input.count) else { return }
        let text = Array("SLOW INPUT: \(again / 1_000_000) ms for \(input.count) bytes\n".utf8)
        _ = write(STDERR_FILENO, text, text.count)
        abort()
    }

    /// Nanoseconds: 50 ms for 100 kB, and for a short input what is allowed within one turn of the event loop, four times over,
    /// since that is what the program's instruments cost.
    private static func limit(_ size: Int) -> UInt64 { 4 * max(10_000_000, UInt64(size) * 500) }

    private static func measure(_ clock: clockid_t, _ input: [UInt8]) -> UInt64 {
        let begin = now(clock)
        target?.run(input)
        return now(clock) - begin
    }

    private static func now(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    // MARK: Mutation

    /// Where long inputs are wanted, repeats a short piece of the input until it is long: what costs the square of its size
    /// shows that way, and by chance hardly ever.
    static func mutate(_ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ limit: Int, _ seed: UInt32) -> Int {
        var random = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 | 1
        func next(_ bound: Int) -> Int {
            random ^= random << 13
            random ^= random >> 7
            random ^= random << 17
            return Int(random % UInt64(max(bound, 1)))
        }
        guard limit > 32 << 10, size > 0, next(4) == 0 else { return standardMutation(data, size, limit) }
        let start = next(size)
        // Marks of two classes in the wrong order, as long as they fit, or what is there already.
        let kind = next(4)
        let end = min(size, start + 1 + next(24))
        let piece: [UInt8] =
            switch kind {
            case 0: [0xCC, 0x81]
            case 1: [0xCC, 0x81, 0xCC, 0xA3]
            default: (start..<end).map { data[$0] }
            }
        let tail = (end..<size).prefix(4096).map { data[$0] }
        let room = limit - start - tail.count
        guard room >= piece.count else { return standardMutation(data, size, limit) }
        let count = 1 + next(room / piece.count)
        var place = start
        for _ in 0..<count {
            for byte in piece {
                data[place] = byte
                place += 1
            }
        }
        for byte in tail {
            data[place] = byte
            place += 1
        }
        return place
    }
}

@_silgen_name("LLVMFuzzerMutate")
private func standardMutation(_ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ limit: Int) -> Int

/// What the runtime has beside `main`, which names the entry point that SwiftPM asks for.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// The program's entry point, by the name that SwiftPM has for that of an executable.
@_cdecl("supervisor_fuzz_main")
public func main(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    var (count, arguments) = (count, arguments)
    return runDriver(&count, &arguments, test)
}

/// Called before the options are read: takes the target's name off the arguments.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>
) -> CInt {
    Fuzzer.select(count.pointee > 1 ? arguments.pointee[1].map { String(cString: $0) } ?? "" : "")
    arguments.pointee[1] = arguments.pointee[0]
    arguments.pointee += 1
    count.pointee -= 1
    return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    Fuzzer.run(UnsafeBufferPointer(start: data, count: size))
    return 0
}

@_cdecl("LLVMFuzzerCustomMutator")
public func mutate(_ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ limit: Int, _ seed: UInt32) -> Int {
    Fuzzer.mutate(data, size, limit, seed)
}
