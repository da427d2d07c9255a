@testable import RedsocksConfiguration

/// redsocks.conf and the list of addresses that are reached directly, which operators write, too.
struct RedsocksTarget: FuzzTarget {
    func run(_ input: [UInt8]) {
        let list = try? NoProxyList.parse(input)
        guard let configuration = try? RedsocksConfiguration(parsing: input) else { return }
        _ = try? configuration.settings(noProxy: list ?? [])
        _ = configuration.encoded
    }
}
