import Glibc
import UnitFile

/// The files and sockets that the configuration's defaults depend on. Tests use files of their own.
struct ConfigurationDefaults: Sendable {
    /// Where engines listen, the one to prefer first; never empty.
    var engineSockets = ["/var/run/docker.sock", "/var/run/balena-engine.sock", "/run/podman/podman.sock"]
    /// The first line of this file is the device type.
    var deviceTypeFile = "/etc/device-supervisor/device-type"

    /// The first socket that exists, else the first: the engine may come later.
    var engineSocket: String {
        engineSockets.first { access($0, F_OK) == 0 } ?? engineSockets.first ?? ""
    }

    /// The device type of the image, as if the file had assigned it; nil without the file and where its first line is
    /// empty.
    func deviceType() throws(UnitFileError) -> UnitFile.Assignment? {
        guard let file = fopen(deviceTypeFile, "re") else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            let reason = "cannot be read: \(String(cString: strerror(errno)))"
            throw UnitFileError(.unreadable, file: deviceTypeFile, reason: reason)
        }
        defer { fclose(file) }
        // Longer than any device type may be; a line that is cut here is refused for its length.
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = fread(&buffer, 1, buffer.count, file)
        let line = buffer[..<count].prefix { $0 != UInt8(ascii: "\n") }
        let spaces: [UInt8] = [UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r")]
        let text = line.drop { spaces.contains($0) }.reversed().drop { spaces.contains($0) }.reversed()
        if text.isEmpty { return nil }
        return UnitFile.Assignment(
            section: "Device",
            key: "DeviceType",
            text: String(decoding: Array(text), as: UTF8.self),
            location: UnitFile.Location(file: deviceTypeFile, line: 1)
        )
    }
}
