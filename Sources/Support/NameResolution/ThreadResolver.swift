import Glibc
public import NIOCore
public import NIOPosix

/// Resolves names with getaddrinfo(3), for each name in a thread of its own that ends with the answer.
///
/// The resolver that NIO brings starts Dispatch, whose pool keeps three threads and wakes the process once a second for
/// ever. getaddrinfo(3) may block for a minute; a caller that has waited long enough drops the answer.
public final class ThreadResolver: Resolver, Sendable {
    private let loop: any EventLoop
    private let inet: EventLoopPromise<[SocketAddress]>
    private let inet6: EventLoopPromise<[SocketAddress]>

    /// For one name: make another one for the next.
    public init(loop: any EventLoop) {
        self.loop = loop
        inet = loop.makePromise()
        inet6 = loop.makePromise()
    }

    public func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        start(Job(host: host, port: port, inet: inet, inet6: inet6))
        return inet6.futureResult
    }

    public func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        inet.futureResult
    }

    public func cancelQueries() {}

    private func start(_ job: Job) {
        let context = Unmanaged.passRetained(job)
        let failure = withUnsafeTemporaryAllocation(of: pthread_attr_t.self, capacity: 1) { attributes -> Int32 in
            let attributes = attributes.baseAddress!
            pthread_attr_init(attributes)
            defer { pthread_attr_destroy(attributes) }
            pthread_attr_setdetachstate(attributes, Int32(PTHREAD_CREATE_DETACHED))
            // NSS modules are written for stacks like the main thread's; resolved's and the files' take far less.
            pthread_attr_setstacksize(attributes, 256 * 1024)
            var thread = pthread_t()
            return pthread_create(
                &thread,
                attributes,
                { context in
                    Unmanaged<Job>.fromOpaque(context!).takeRetainedValue().run()
                    return nil
                },
                context.toOpaque()
            )
        }
        guard failure != 0 else { return }
        context.release()
        job.fail(NameResolutionError("no thread could be started: \(String(cString: strerror(failure)))"))
    }

    private final class Job: Sendable {
        let host: String
        let port: Int
        let inet: EventLoopPromise<[SocketAddress]>
        let inet6: EventLoopPromise<[SocketAddress]>

        init(
            host: String,
            port: Int,
            inet: EventLoopPromise<[SocketAddress]>,
            inet6: EventLoopPromise<[SocketAddress]>
        ) {
            self.host = host
            self.port = port
            self.inet = inet
            self.inet6 = inet6
        }

        func run() {
            var hints = addrinfo()
            hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
            hints.ai_protocol = Int32(IPPROTO_TCP)
            var list: UnsafeMutablePointer<addrinfo>?
            let failure = getaddrinfo(host, String(port), &hints, &list)
            guard failure == 0 else {
                // What resolved says where there is no network, too.
                let reason =
                    failure == EAI_SYSTEM ? String(cString: strerror(errno)) : String(cString: gai_strerror(failure))
                return fail(NameResolutionError("the name \(host) was not resolved: \(reason)"))
            }
            defer { freeaddrinfo(list) }
            var addresses: (inet: [SocketAddress], inet6: [SocketAddress]) = ([], [])
            var next = list
            while let entry = next {
                next = entry.pointee.ai_next
                guard let address = entry.pointee.ai_addr else { continue }
                switch entry.pointee.ai_family {
                case AF_INET:
                    let value = UnsafeRawPointer(address).load(as: sockaddr_in.self)
                    addresses.inet.append(SocketAddress(value, host: host))
                case AF_INET6:
                    let value = UnsafeRawPointer(address).load(as: sockaddr_in6.self)
                    addresses.inet6.append(SocketAddress(value, host: host))
                default: break
                }
            }
            inet6.succeed(addresses.inet6)
            inet.succeed(addresses.inet)
        }

        func fail(_ error: NameResolutionError) {
            inet6.fail(error)
            inet.fail(error)
        }
    }
}
