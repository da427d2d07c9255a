internal import JSON
internal import LinuxSupport
internal import SupervisorCore

extension RegistryCredentials {
    /// The value of the header X-Registry-Auth: JSON in the URL-safe Base64 of RFC 4648, section 5, with its padding.
    var headerValue: String {
        let document: JSONValue = [
            "username": .string(username),
            "password": .string(password),
            "serveraddress": .string(RegistryHost(image: registry + "/").serverAddress),
        ]
        return Base64.encodeURLSafe(document.encoded())
    }
}
