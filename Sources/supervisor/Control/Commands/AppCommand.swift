import JSON
import SupervisorCommandLine

/// A command that has one thing done to one application, and prints nothing.
struct AppCommand: Sendable {
    static let restart = AppCommand(
        CommandSyntax(
            name: "restart",
            abstract: "Recreate an application's containers and start them.",
            operands: [AppArgument.syntax],
            options: [.force]
        ),
        path: "/v1/restart"
    )

    static let stop = AppCommand(
        CommandSyntax(
            name: "stop",
            abstract: "Stop an application's container.",
            discussion: """
                The container is kept. It starts again after superctl start, and after a restart of the device or of \
                the supervisor.
                """,
            operands: [AppArgument.syntax],
            options: [.force]
        ),
        path: "/v1/apps/:app/stop"
    )

    static let start = AppCommand(
        CommandSyntax(
            name: "start",
            abstract: "Start an application's container.",
            discussion: "A container that is already running is left alone.",
            operands: [AppArgument.syntax]
        ),
        path: "/v1/apps/:app/start"
    )

    static let purge = AppCommand(
        CommandSyntax(
            name: "purge",
            abstract: "Delete everything in an application's /data.",
            discussion: """
                The application is stopped first and started again afterwards. The data cannot be restored.
                """,
            operands: [AppArgument.syntax],
            options: [.force]
        ),
        path: "/v1/purge"
    )

    let syntax: CommandSyntax
    /// ":app" stands for the application's number; where it is not there, the body has the number.
    private let path: String

    private init(_ syntax: CommandSyntax, path: String) {
        self.syntax = syntax
        self.path = path
    }

    func act(_ arguments: CommandArguments, _ client: ControlClient) async throws(ControlError) -> String {
        let app = try await AppArgument(arguments).resolve(client)
        var segments = path.split(separator: "/").map(String.init)
        var body: JSONObject = [:]
        if let place = segments.firstIndex(of: ":app") {
            segments[place] = "\(app)"
        } else {
            body["appId"] = .integer(app)
        }
        if syntax.options.contains(.force) { body["force"] = .bool(arguments.has(.force)) }
        try await client.post("/" + segments.joined(separator: "/"), .object(body))
        return ""
    }
}
