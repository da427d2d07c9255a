/// Why the control socket could not be made.
struct ControlSocketError: Error, CustomStringConvertible {
    var description: String
}
