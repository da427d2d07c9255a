import JSON

/// As it is kept on the disk: {pulled: [name], answers?: [{app, image, release, id}], superseded?: [id]}.
extension ImageLedger.Kept {
    var json: JSONObject {
        var json: JSONObject = ["pulled": .array(pulled.sorted().map(JSONValue.string))]
        json["answers"] = .array(
            answers.sorted { ($0.key.app, $0.key.image) < ($1.key.app, $1.key.image) }.map { use, answer in
                [
                    "app": .string(use.app.description), "image": .string(use.image),
                    "release": .string(answer.release), "id": .string(answer.id),
                ]
            }
        )
        json["superseded"] = .array(superseded.sorted().map(JSONValue.string))
        return json
    }

    /// Incomplete answers are left out; nil without a list of images.
    init?(json: JSONObject) {
        guard let names = json["pulled"]?.arrayValue else { return nil }
        pulled = Set(names.compactMap(\.stringValue))
        superseded = Set((json["superseded"]?.arrayValue ?? []).compactMap(\.stringValue))
        for entry in json["answers"]?.arrayValue ?? [] {
            guard let app = entry["app"]?.stringValue.flatMap(AppID.init(digits:)),
                let image = entry["image"]?.stringValue, let release = entry["release"]?.stringValue,
                let id = entry["id"]?.stringValue
            else { continue }
            answers[.init(app: app, image: image)] = .init(release: release, id: id)
        }
    }
}
