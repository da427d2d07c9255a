extension RegistryTransaction {
    private func application(_ row: SQLRow) throws -> FleetApplication {
        FleetApplication(
            id: try row.integer(0),
            name: try row.text(1),
            uuid: try row.text(2),
            deviceType: try row.text(3),
            activeCommit: try row.optionalText(4),
            created: try row.integer(5)
        )
    }

    func application(id: Int64) throws -> FleetApplication? {
        try sql.query(
            "SELECT id, name, uuid, device_type, active_commit, created FROM applications WHERE id = $1",
            [.integer(id)]
        ).first.map(application)
    }

    func application(named name: String) throws -> FleetApplication? {
        try sql.query(
            "SELECT id, name, uuid, device_type, active_commit, created FROM applications WHERE name = $1",
            [.text(name)]
        ).first.map(application)
    }

    func applications(after id: Int64 = 0, limit: Int64 = 1000) throws -> [FleetApplication] {
        try sql.query(
            """
            SELECT id, name, uuid, device_type, active_commit, created FROM applications
            WHERE id > $1 ORDER BY id LIMIT $2
            """,
            [.integer(id), .integer(limit)]
        ).map(application)
    }

    func createApplication(name: String, deviceType: String) throws -> FleetApplication {
        let application = FleetApplication(
            id: try nextIdentifier(of: "application"),
            name: name,
            uuid: Secret.hex(bytes: 16),
            deviceType: deviceType,
            activeCommit: nil,
            created: Self.now
        )
        _ = try sql.query(
            "INSERT INTO applications (id, name, uuid, device_type, created) VALUES ($1, $2, $3, $4, $5)",
            [
                .integer(application.id), .text(name), .text(application.uuid), .text(deviceType),
                .integer(application.created),
            ]
        )
        return application
    }

    // MARK: - Releases

    private func release(_ row: SQLRow) throws -> Release {
        Release(
            id: try row.integer(0),
            application: try row.integer(1),
            commit: try row.text(2),
            target: try row.text(3),
            created: try row.integer(4),
            actor: try row.text(5)
        )
    }

    func release(application: Int64, commit: String) throws -> Release? {
        try sql.query(
            """
            SELECT id, application, digest, target, created, actor FROM releases
            WHERE application = $1 AND digest = $2
            """,
            [.integer(application), .text(commit)]
        ).first.map(release)
    }

    func releases(application: Int64, before id: Int64, limit: Int64) throws -> [Release] {
        try sql.query(
            """
            SELECT id, application, digest, target, created, actor FROM releases
            WHERE application = $1 AND id < $2 ORDER BY id DESC LIMIT $3
            """,
            [.integer(application), .integer(id), .integer(limit)]
        ).map(release)
    }

    /// The release with this target, made where it is not there yet.
    func addRelease(application: Int64, commit: String, target: String, actor: String) throws -> (Release, isNew: Bool)
    {
        if let known = try release(application: application, commit: commit) { return (known, false) }
        let release = Release(
            id: try nextIdentifier(of: "release"),
            application: application,
            commit: commit,
            target: target,
            created: Self.now,
            actor: actor
        )
        _ = try sql.query(
            """
            INSERT INTO releases (id, application, digest, target, created, actor)
            VALUES ($1, $2, $3, $4, $5, $6)
            """,
            [
                .integer(release.id), .integer(application), .text(commit), .text(target), .integer(release.created),
                .text(actor),
            ]
        )
        return (release, true)
    }

    func activate(application: Int64, commit: String) throws {
        _ = try sql.query(
            "UPDATE applications SET active_commit = $2 WHERE id = $1",
            [.integer(application), .text(commit)]
        )
    }
}
