import JSON

/// What became of a command to one device.
struct CommandResult: Sendable {
    var uuid: String
    /// nil: the device is offline, so it was not called.
    var answer: DeviceAnswer?

    var element: JSONValue {
        [
            "uuid": .string(uuid),
            "statusCode": .integer(Int64(answer?.status ?? 404)),
            "body": answer?.value ?? ["error": "the device is offline"],
        ]
    }
}
