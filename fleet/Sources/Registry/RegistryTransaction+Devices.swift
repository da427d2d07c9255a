extension RegistryTransaction {
    private func device(_ row: SQLRow) throws -> FleetDevice {
        FleetDevice(
            id: try row.integer(0),
            uuid: try row.text(1),
            application: try row.integer(2),
            name: try row.text(3),
            deviceType: try row.text(4),
            keyHash: try row.text(5),
            keyUsed: try row.bool(6),
            resetUntil: try row.integer(7),
            supervisorVersion: try row.text(8),
            osVersion: try row.text(9),
            osVariant: try row.text(10),
            macAddress: try row.text(11),
            ipAddress: try row.text(12),
            status: try row.text(13),
            runningCommit: try row.optionalText(14),
            pinnedCommit: try row.optionalText(15),
            created: try row.integer(16),
            lastPoll: try row.optionalInteger(17),
            lastReport: try row.optionalInteger(18),
            revoked: try row.bool(19)
        )
    }

    func device(uuid: String) throws -> FleetDevice? {
        try sql.query(
            """
            SELECT id, uuid, application, name, device_type, key_hash, key_used, reset_until, supervisor_version,
            os_version, os_variant, mac_address, ip_address, status, running_commit, pinned_commit, created, last_poll,
            last_report, revoked FROM devices WHERE uuid = $1
            """,
            [.text(uuid)]
        ).first.map(device)
    }

    func device(id: Int64) throws -> FleetDevice? {
        try sql.query(
            """
            SELECT id, uuid, application, name, device_type, key_hash, key_used, reset_until, supervisor_version,
            os_version, os_variant, mac_address, ip_address, status, running_commit, pinned_commit, created, last_poll,
            last_report, revoked FROM devices WHERE id = $1
            """,
            [.integer(id)]
        ).first.map(device)
    }

    func device(keyHash: String) throws -> FleetDevice? {
        try sql.query(
            """
            SELECT id, uuid, application, name, device_type, key_hash, key_used, reset_until, supervisor_version,
            os_version, os_variant, mac_address, ip_address, status, running_commit, pinned_commit, created, last_poll,
            last_report, revoked FROM devices WHERE key_hash = $1
            """,
            [.text(keyHash)]
        ).first.map(device)
    }

    /// Devices in the order of their ids, after one of them.
    func devices(application: Int64? = nil, after id: Int64 = 0, limit: Int64) throws -> [FleetDevice] {
        guard let application else {
            return try sql.query(
                """
                SELECT id, uuid, application, name, device_type, key_hash, key_used, reset_until, supervisor_version,
                os_version, os_variant, mac_address, ip_address, status, running_commit, pinned_commit, created,
                last_poll, last_report, revoked FROM devices WHERE id > $1 ORDER BY id LIMIT $2
                """,
                [.integer(id), .integer(limit)]
            ).map(device)
        }
        return try sql.query(
            """
            SELECT id, uuid, application, name, device_type, key_hash, key_used, reset_until, supervisor_version,
            os_version, os_variant, mac_address, ip_address, status, running_commit, pinned_commit, created, last_poll,
            last_report, revoked FROM devices WHERE application = $1 AND id > $2 ORDER BY id LIMIT $3
            """,
            [.integer(application), .integer(id), .integer(limit)]
        ).map(device)
    }

    /// Devices of one application by name, those whose folded name begins with `prefix`.
    func devices(application: Int64, prefix: String, after name: String, id: Int64, limit: Int64) throws
        -> [FleetDevice]
    {
        try sql.query(
            """
            SELECT id, uuid, application, name, device_type, key_hash, key_used, reset_until, supervisor_version,
            os_version, os_variant, mac_address, ip_address, status, running_commit, pinned_commit, created, last_poll,
            last_report, revoked FROM devices
            WHERE application = $1 AND folded >= $2 AND folded < $3 AND (folded, id) > ($4, $5)
            ORDER BY folded, id LIMIT $6
            """,
            [
                .integer(application), .text(prefix), .text(prefix + "\u{10FFFF}"), .text(name), .integer(id),
                .integer(limit),
            ]
        ).map(device)
    }

    func insert(_ device: FleetDevice) throws {
        _ = try sql.query(
            """
            INSERT INTO devices (id, uuid, application, name, folded, device_type, key_hash, supervisor_version,
            os_version, os_variant, mac_address, created) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            """,
            [
                .integer(device.id), .text(device.uuid), .integer(device.application), .text(device.name),
                .text(device.name.lowercased()), .text(device.deviceType), .text(device.keyHash),
                .text(device.supervisorVersion), .text(device.osVersion), .text(device.osVariant),
                .text(device.macAddress), .integer(device.created),
            ]
        )
    }

    func markKeyUsed(device: Int64) throws {
        _ = try sql.query("UPDATE devices SET key_used = 1 WHERE id = $1", [.integer(device)])
    }

    func setKey(device: Int64, hash: String) throws {
        _ = try sql.query(
            "UPDATE devices SET key_hash = $2, key_used = 0, reset_until = 0 WHERE id = $1",
            [.integer(device), .text(hash)]
        )
    }

    func allowKeyReset(device: Int64, until: Int64) throws {
        _ = try sql.query("UPDATE devices SET reset_until = $2 WHERE id = $1", [.integer(device), .integer(until)])
    }

    func rename(device: Int64, to name: String) throws {
        _ = try sql.query(
            "UPDATE devices SET name = $2, folded = $3 WHERE id = $1",
            [.integer(device), .text(name), .text(name.lowercased())]
        )
    }

    func pin(device: Int64, to commit: String?) throws {
        _ = try sql.query("UPDATE devices SET pinned_commit = $2 WHERE id = $1", [.integer(device), SQLValue(commit)])
    }

    func setRevoked(device: Int64, _ isRevoked: Bool) throws {
        _ = try sql.query("UPDATE devices SET revoked = $2 WHERE id = $1", [.integer(device), SQLValue(isRevoked)])
    }

    func notePoll(device: Int64) throws {
        _ = try sql.query(
            "UPDATE devices SET last_poll = $2, key_used = 1 WHERE id = $1",
            [.integer(device), .integer(Self.now)]
        )
    }

    func report(uuid: String) throws -> String? {
        try sql.query("SELECT body FROM reports WHERE uuid = $1", [.text(uuid)]).first?.text(0)
    }

    /// Keeps a report, already merged with what the device reported before.
    func keep(report body: String, summary: ReportSummary, of device: FleetDevice) throws {
        _ = try sql.query(
            """
            INSERT INTO reports (uuid, at, body) VALUES ($1, $2, $3)
            ON CONFLICT (uuid) DO UPDATE SET at = excluded.at, body = excluded.body
            """,
            [.text(device.uuid), .integer(Self.now), .text(body)]
        )
        _ = try sql.query(
            """
            UPDATE devices SET last_report = $2, key_used = 1, supervisor_version = $3, os_version = $4,
            os_variant = $5, mac_address = $6, ip_address = $7, status = $8, running_commit = $9 WHERE id = $1
            """,
            [
                .integer(device.id), .integer(Self.now), .text(summary.supervisorVersion ?? device.supervisorVersion),
                .text(summary.osVersion ?? device.osVersion), .text(summary.osVariant ?? device.osVariant),
                .text(summary.macAddress ?? device.macAddress), .text(summary.ipAddress ?? device.ipAddress),
                .text(summary.status ?? device.status), SQLValue(summary.runningCommit ?? device.runningCommit),
            ]
        )
    }

    // MARK: - Keys of the bus

    /// `issued` and `expires` are seconds, as in the JWT.
    func addBusKey(_ key: String, uuid: String, issued: Int64, expires: Int64) throws {
        _ = try sql.query(
            """
            INSERT INTO bus_keys (nkey, uuid, issued, expires) VALUES ($1, $2, $3, $4)
            ON CONFLICT (nkey) DO UPDATE SET issued = excluded.issued, expires = excluded.expires
            WHERE bus_keys.uuid = excluded.uuid
            """,
            [.text(key), .text(uuid), .integer(issued), .integer(expires)]
        )
    }

    func ownerOfBusKey(_ key: String) throws -> String? {
        try sql.query("SELECT uuid FROM bus_keys WHERE nkey = $1", [.text(key)]).first?.text(0)
    }

    func revokeBusKeys(uuid: String, at seconds: Int64) throws {
        _ = try sql.query("UPDATE bus_keys SET revoked = $2 WHERE uuid = $1", [.text(uuid), .integer(seconds)])
    }

    func revokeAllBusKeys(at seconds: Int64) throws {
        _ = try sql.query("UPDATE bus_keys SET revoked = $1", [.integer(seconds)])
    }

    /// The keys that must not log in although their JWT has not expired, and since when.
    func revokedBusKeys() throws -> [(user: String, before: Int64)] {
        try sql.query(
            "SELECT nkey, revoked FROM bus_keys WHERE revoked IS NOT NULL AND expires >= $1",
            [.integer(Self.now / 1000)]
        ).map { (try $0.text(0), try $0.integer(1)) }
    }
}
