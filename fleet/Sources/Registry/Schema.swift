/// The tables, as steps from one version to the next. A step only adds, so that the former version of the service works
/// beside the new one during an upgrade.
enum Schema {
    static let steps: [[StaticString]] = [
        [
            "CREATE TABLE counters (name TEXT PRIMARY KEY, next BIGINT NOT NULL)",
            "INSERT INTO counters (name, next) VALUES ('application', 1001), ('release', 1), ('device', 1), ('token', 1)",
            """
            CREATE TABLE applications (id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE, uuid TEXT NOT NULL UNIQUE,
            device_type TEXT NOT NULL, active_commit TEXT, created BIGINT NOT NULL)
            """,
            """
            CREATE TABLE releases (id BIGINT PRIMARY KEY, application BIGINT NOT NULL, digest TEXT NOT NULL,
            target TEXT NOT NULL, created BIGINT NOT NULL, actor TEXT NOT NULL, UNIQUE (application, digest))
            """,
            """
            CREATE TABLE devices (id BIGINT PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, application BIGINT NOT NULL,
            name TEXT NOT NULL, folded TEXT NOT NULL, device_type TEXT NOT NULL, key_hash TEXT NOT NULL UNIQUE,
            key_used BIGINT NOT NULL DEFAULT 0, reset_until BIGINT NOT NULL DEFAULT 0,
            supervisor_version TEXT NOT NULL DEFAULT '', os_version TEXT NOT NULL DEFAULT '',
            os_variant TEXT NOT NULL DEFAULT '', mac_address TEXT NOT NULL DEFAULT '',
            ip_address TEXT NOT NULL DEFAULT '', status TEXT NOT NULL DEFAULT '', running_commit TEXT,
            pinned_commit TEXT, created BIGINT NOT NULL, last_poll BIGINT, last_report BIGINT,
            revoked BIGINT NOT NULL DEFAULT 0)
            """,
            "CREATE INDEX devices_by_name ON devices (application, folded, id)",
            "CREATE INDEX devices_by_id ON devices (application, id)",
            "CREATE TABLE reports (uuid TEXT PRIMARY KEY, at BIGINT NOT NULL, body TEXT NOT NULL)",
            """
            CREATE TABLE bus_keys (nkey TEXT PRIMARY KEY, uuid TEXT NOT NULL, issued BIGINT NOT NULL,
            expires BIGINT NOT NULL, revoked BIGINT)
            """,
            "CREATE INDEX bus_keys_by_device ON bus_keys (uuid)",
            """
            CREATE TABLE tokens (id BIGINT PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL UNIQUE,
            scope TEXT NOT NULL, applications TEXT, remaining BIGINT, created BIGINT NOT NULL, expires BIGINT NOT NULL,
            last_used BIGINT, revoked BIGINT NOT NULL DEFAULT 0)
            """,
            """
            CREATE TABLE idempotency (token BIGINT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL,
            at BIGINT NOT NULL, PRIMARY KEY (token, name))
            """,
            """
            CREATE TABLE audit (id INTEGER PRIMARY KEY, at BIGINT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
            subject TEXT NOT NULL, detail TEXT NOT NULL)
            """,
            "CREATE INDEX audit_by_time ON audit (at)",
        ]
    ]
}
