import NIOHTTP1
import Testing

@testable import SupervisorHTTP

@Suite struct TargetTests {
    @Test(
        "Spellings of a path",
        arguments: [
            ("/ping", "/ping", ""), ("//ping", "/ping", ""), ("/ping/", "/ping", ""), ("/ping//", "/ping", ""),
            ("/PING", "/ping", ""), ("/%70ing", "/ping", ""), ("/%50ING", "/ping", ""), ("/", "/", ""), ("//", "/", ""),
            ("/v1//apps///1/stop", "/v1/apps/1/stop", ""), ("/V1/Apps/1/", "/v1/apps/1", ""),
            ("/ping?x=1", "/ping", "x=1"), ("/ping/?x=/y/", "/ping", "x=/y/"), ("/ping??x", "/ping", "?x"),
            ("/?", "/", ""),
            ("http://h/ping?x", "/ping", "x"), ("HTTP://h:1/Ping/", "/ping", ""), ("https://h", "", ""),
            ("http://h?x", "", "x"), ("*", "*", ""), ("/v1%2Fping", "", ""), ("/%zz", "", ""), ("/%", "", ""),
            ("/%ff", "", ""),
            ("/v1/../ping", "/v1/../ping", ""), ("/p+ng", "/p+ng", ""),
        ]
    )
    func spelling(_ target: String, _ path: String, _ query: String) {
        let parsed = RequestTarget(target)
        #expect(parsed.path == path)
        #expect(parsed.query == query)
    }

    @Test(
        "Paths with a parameter",
        arguments: [
            (HTTPMethod.GET, "/v1/apps/12", "12"), (.POST, "/v1/apps/12/stop", "12"),
            (.POST, "/v1/apps/x y/start", "x y"),
            (.GET, "/v1/apps", nil), (.GET, "/v1/apps/1/2", nil), (.POST, "/v1/apps//stop", nil),
            (.POST, "/v1/apps/stop", nil),
            (.POST, "/v1/apps/1/stop/now", nil),
        ] as [(HTTPMethod, String, String?)]
    )
    func parameter(_ method: HTTPMethod, _ path: String, _ expected: String?) {
        if case .route(_, let parameter) = RouteTable(.v1).match(method, path) {
            #expect(parameter == expected)
        } else {
            #expect(expected == nil)
        }
    }

    @Test("Every route of the API is found by its own path and method", arguments: ([Route].v1 + .control).map(\.path))
    func found(_ path: String) {
        let table = RouteTable(.v1 + .control)
        for route in [Route].v1 + .control where route.path == path {
            guard case .route(let match, _) = table.match(route.method, path.replacing(":id", with: "1")) else {
                Issue.record("\(route.method) \(path) is not found")
                continue
            }
            #expect(match.path == path)
            #expect(match.method == route.method)
        }
    }
}
