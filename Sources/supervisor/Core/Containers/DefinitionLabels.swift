import JSON

/// The labels that hold the definition of a service. The values of its variables are in its container's environment already,
/// and are not stored twice: a label keeps their names alone.
enum DefinitionLabels {
    /// - Parameter isOurs: whether we give a variable another value than its definition does.
    static func labels(of definition: JSONObject, isOurs: (String) -> Bool) -> [String: String] {
        var definition = definition
        var labels: [String: String] = [:]
        if let variables = definition["environment"]?.objectValue, !variables.isEmpty {
            // A number stays as it was written: the container's environment has the text of it alone.
            let kept = variables.members.filter { isOurs($0.name) || $0.value.stringValue == nil }
            definition["environment"] = .object(JSONObject(kept) ?? [:])
            labels[ContainerLabel.variables] = JSONValue.array(variables.names.map(JSONValue.string)).text
        }
        labels[ContainerLabel.definition] = JSONValue.object(definition).text
        return labels
    }

    /// The names of the variables whose values are not in the definition; nil where a label cannot be read.
    static func variables(of container: EngineContainer) -> [String]? {
        guard let text = container.labels[ContainerLabel.variables], !text.utf8.isEmpty else { return [] }
        return (try? JSONValue(parsing: text))?.arrayValue?.compactMap(\.stringValue)
    }

    /// The container with its whole definition in its label; without a definition where the values are not all there.
    ///
    /// - Parameter environment: of the container, each as "NAME=value".
    static func complete(_ container: EngineContainer, environment: [String]) -> EngineContainer {
        var result = container
        result.labels[ContainerLabel.variables] = nil
        result.labels[ContainerLabel.definition] = definition(of: container, environment)
        return result
    }

    private static func definition(of container: EngineContainer, _ environment: [String]) -> String? {
        // That of a container without variables, or of a former version, is whole.
        guard container.labels[ContainerLabel.variables]?.utf8.isEmpty == false else {
            return container.labels[ContainerLabel.definition]
        }
        guard let names = variables(of: container), let text = container.labels[ContainerLabel.definition],
            var definition = (try? JSONValue(parsing: text))?.objectValue
        else { return nil }
        // By bytes: the names come from outside.
        var values: [[UInt8]: JSONValue] = [:]
        for variable in environment {
            guard let end = variable.utf8.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let value = variable[variable.utf8.index(after: end)...]
            values[Array(variable.utf8[..<end])] = .string(String(value))
        }
        for member in definition["environment"]?.objectValue ?? [:] { values[Array(member.name.utf8)] = member.value }
        var members: [JSONObject.Member] = []
        for name in names {
            guard let value = values[Array(name.utf8)] else { return nil }
            members.append(JSONObject.Member(name: name, value: value))
        }
        guard let variables = JSONObject(members) else { return nil }
        definition["environment"] = .object(variables)
        return JSONValue.object(definition).text
    }
}
