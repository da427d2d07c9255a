import CLinux
import Glibc
import LinuxSupport

/// What the program reads from the host it runs on.
enum Host {
    /// PRETTY_NAME of os-release(5), such as "Debian GNU/Linux 12 (bookworm)"; "Linux" where there is none.
    static func operatingSystem() -> String {
        for path in ["/etc/os-release", "/usr/lib/os-release"] {
            for line in text(of: path).split(separator: "\n") where line.hasPrefix("PRETTY_NAME=") {
                return line.dropFirst("PRETTY_NAME=".count).filter { $0 != "\"" && $0 != "'" }
            }
        }
        return "Linux"
    }

    /// In the names that balena has for it; see `DeviceIdentity.architecture`.
    static func architecture() -> String {
        var name = utsname()
        guard uname(&name) == 0 else { return "" }
        let machine = withUnsafeBytes(of: name.machine) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return switch machine {
        case "x86_64": "amd64"
        case "i386", "i586", "i686": "i386"
        case "armv6l": "rpi"
        case "armv7l", "armv8l": "armv7hf"
        default: machine
        }
    }

    /// 32 hex digits of proc_sys_kernel(5)'s boot_id; "unknown" where it may not be read.
    static func bootID() -> String {
        let id = text(of: "/proc/sys/kernel/random/boot_id").filter(\.isHexDigit)
        return id.isEmpty ? "unknown" : id
    }

    /// The first 64 KiB of a text file; empty where it cannot be read.
    static func text(of path: String) -> String {
        let descriptor = clinux_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        let bytes = try? Descriptor.readStart(descriptor, path, limit: 65536)
        return String(decoding: bytes ?? [], as: UTF8.self)
    }

    /// Raises the soft limit of open files to the hard one: a connection is a descriptor. Returns the former soft limit,
    /// which children get back: a program may use select(2), or close all descriptors one by one.
    static func raiseDescriptorLimit() -> UInt64? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
        let former = limit.rlim_cur
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return UInt64(former)
    }
}
