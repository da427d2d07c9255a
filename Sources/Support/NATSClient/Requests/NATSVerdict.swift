/// Whether a request waits for further replies.
public enum NATSVerdict: Sendable {
    case done
    case more
}
