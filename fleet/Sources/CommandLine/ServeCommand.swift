import ArgumentParser
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import NATSKeys
import NIOCore
import NIOPosix
import NIOSSL
import ServiceLifecycle
import UnixSignals

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "serve", abstract: "Runs the service.")

    @OptionGroup var local: LocalOptions

    func run() async throws {
        LoggingSystem.bootstrap { label in StreamLogHandler.standardError(label: label) }
        var logger = Logger(label: "supervisor-fleet")
        logger.logLevel = .info
        umask(0o077)
        let (registry, configuration) = try await local.open()
        for warning in configuration.warnings { logger.warning("\(warning)") }
        let keys = try StateDirectory(path: configuration.stateDirectory).keys()
        let group = MultiThreadedEventLoopGroup.singleton
        let fleet = try Fleet(
            configuration: configuration,
            registry: registry,
            keys: keys,
            group: group,
            logger: logger
        )
        let revocations = try await fleet.revocations()
        var server: BusServer?
        if configuration.busServers.isEmpty {
            let own = BusServer(configuration, logger: logger)
            let accounts = fleet.accounts
            try own.prepare(
                operatorJWT: accounts.operatorJWT,
                accounts: [
                    (keys.systemAccount.publicKey, accounts.systemAccountJWT),
                    (keys.account.publicKey, accounts.accountJWT(revocations: revocations)),
                ],
                systemAccount: keys.systemAccount.publicKey
            )
            own.start()
            server = own
        }
        defer { server?.stop() }
        try await fleet.start()
        let watch = Task { await fleet.watchRevocations(known: revocations) }
        defer { watch.cancel() }
        try await serve(fleet, group: group, logger: logger)
        await fleet.stop()
    }

    private func serve(_ fleet: Fleet, group: any EventLoopGroup, logger: Logger) async throws {
        let configuration = fleet.configuration
        var http = HTTPServerBuilder.http1(
            configuration: .init(additionalChannelHandlers: [CallerWatch()], idleTimeout: .seconds(75))
        )
        if let certificate = configuration.certificate {
            let chain = try NIOSSLCertificate.fromPEMFile(certificate.chain).map {
                NIOSSLCertificateSource.certificate($0)
            }
            let key = try NIOSSLPrivateKey(file: certificate.key, format: .pem)
            http = try .tls(
                http,
                tlsConfiguration: .makeServerConfiguration(certificateChain: chain, privateKey: .privateKey(key))
            )
        }
        var quiet = logger
        quiet.logLevel = .warning
        let application = Application(
            responder: FleetService(fleet: fleet),
            server: http,
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.listen.host, port: configuration.listen.port),
                availableConnectionsDelegate: MaximumAvailableConnections(configuration.maxConnections)
            ),
            onServerRunning: { _ in
                let scheme = configuration.certificate == nil ? "http" : "https"
                logger.info("listening on \(scheme)://\(configuration.listen)")
            },
            eventLoopGroupProvider: .shared(group),
            logger: quiet
        )
        var services = ServiceGroupConfiguration(
            services: [application],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: quiet
        )
        services.maximumGracefulShutdownDuration = .seconds(5)
        try await ServiceGroup(configuration: services).run()
    }
}
