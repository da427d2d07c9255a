/// How a container is replaced by its successor.
package enum UpdateStrategy: String, Sendable, Hashable, CaseIterable {
    /// The new image is downloaded while the old container runs.
    case downloadThenKill = "download-then-kill"
    /// The old container goes before the download.
    case killThenDownload = "kill-then-download"
    /// The old container and its image go before the download: for a device whose disk holds one of them only.
    case deleteThenDownload = "delete-then-download"
    /// The new container starts beside the old one, which goes when the new one says so.
    case handOver = "hand-over"
}
