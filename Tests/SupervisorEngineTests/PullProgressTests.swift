import JSON
import Testing

@testable import SupervisorEngine

@Suite("The progress of a download")
struct PullProgressTests {
    /// The percentages after the messages, without repetitions, to two decimals; and the failure.
    private func trace(_ stream: String) throws -> (percentages: [Double], failure: String?) {
        var progress = PullProgress()
        var percentages = [progress.percentage]
        for line in stream.split(separator: "\n") {
            progress.receive(try JSONValue(parsing: String(line)))
            let percentage = (progress.percentage * 100).rounded() / 100
            if percentage != percentages.last { percentages.append(percentage) }
        }
        return (percentages, progress.failure)
    }

    @Test(
        "follows the recorded streams of the engines",
        arguments: [
            (RecordedPulls.docker, [0, 1.21, 33.33, 40.23, 100]),
            (RecordedPulls.dockerUpToDate, [0]),
            (RecordedPulls.dockerRetries, [0, 80, 95]),
            (RecordedPulls.podman, [0, 66.67, 100]),
            (RecordedPulls.podmanMissing, [0]),
        ] as [(String, [Double])]
    )
    func recorded(stream: String, expected: [Double]) throws {
        #expect(try trace(stream).percentages == expected)
    }

    @Test(
        "knows the engine's last word of a download that failed",
        arguments: [
            (RecordedPulls.docker, nil),
            (RecordedPulls.dockerRetries, "unexpected EOF"),
            (#"{"error":"just this"}"#, "just this"),
            (#"{"error":"a"}"# + "\n" + #"{"error":"b"}"#, "a"),
        ] as [(String, String?)]
    )
    func failure(stream: String, expected: String?) throws {
        #expect(try trace(stream).failure == expected)
    }

    @Test(
        "passes over what it does not know",
        arguments: [
            "1", "null", "[]", "{}", #"{"id":1,"status":2}"#, #"{"status":"Downloading","id":"never announced"}"#,
            #"{"status":"Pulling fs layer"}"#, #"{"id":"a","status":"Dancing"}"#,
            #"{"id":"a","status":"Downloading","progressDetail":{"current":-5,"total":-1}}"#,
        ]
    )
    func unknown(line: String) throws {
        var progress = PullProgress()
        progress.receive(["id": "a", "status": "Pulling fs layer"])
        progress.receive(try JSONValue(parsing: line))
        #expect(progress.percentage == 0)
        #expect(progress.failure == nil)
    }

    @Test("weighs layers by size, and those of unknown size as the mean")
    func weights() {
        var progress = PullProgress()
        for id in ["a", "b", "c"] { progress.receive(["id": .string(id), "status": "Pulling fs layer"]) }
        progress.receive(["id": "a", "status": "Downloading", "progressDetail": ["current": 0, "total": 300]])
        progress.receive(["id": "b", "status": "Downloading", "progressDetail": ["current": 60, "total": 100]])
        // 60 of 300 + 100 + (300 + 100) / 2.
        #expect(progress.percentage == 10)
        progress.receive(["id": "a", "status": "Download complete"])
        #expect(progress.percentage == 60)
    }

    @Test("stays between 0 and 100 with a total that was too small, and with ten thousand layers")
    func bounds() {
        var progress = PullProgress()
        progress.receive(["id": "a", "status": "Pulling fs layer"])
        progress.receive(["id": "a", "status": "Downloading", "progressDetail": ["current": 900, "total": 100]])
        #expect(progress.percentage == 100)
        for id in 0..<10_000 { progress.receive(["id": .string("\(id)"), "status": "Already exists"]) }
        #expect(progress.percentage == 100)
    }
}
