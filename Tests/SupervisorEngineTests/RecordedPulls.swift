/// What engines really said while they downloaded.
enum RecordedPulls {
    /// Docker 20.10.24: three layers of random bytes, from a registry on the same machine. Lines end with CR LF.
    static let docker = #"""
        {"status":"Pulling from app","id":"1"}
        {"status":"Pulling fs layer","progressDetail":{},"id":"37ebd394c922"}
        {"status":"Pulling fs layer","progressDetail":{},"id":"7aca0252d8fc"}
        {"status":"Pulling fs layer","progressDetail":{},"id":"4a368bb19fa6"}
        {"status":"Downloading","progressDetail":{"current":32768,"total":900456},"progress":"[=\u003e    ]  32.77kB/900.5kB","id":"4a368bb19fa6"}
        {"status":"Verifying Checksum","progressDetail":{},"id":"4a368bb19fa6"}
        {"status":"Download complete","progressDetail":{},"id":"4a368bb19fa6"}
        {"status":"Downloading","progressDetail":{"current":32768,"total":3001128},"progress":"[\u003e     ]  32.77kB/3.001MB","id":"7aca0252d8fc"}
        {"status":"Downloading","progressDetail":{"current":36445,"total":1064334},"progress":"[=\u003e    ]  36.45kB/1.064MB","id":"37ebd394c922"}
        {"status":"Downloading","progressDetail":{"current":1064334,"total":1064334},"progress":"[=====\u003e]  1.064MB/1.064MB","id":"37ebd394c922"}
        {"status":"Verifying Checksum","progressDetail":{},"id":"37ebd394c922"}
        {"status":"Download complete","progressDetail":{},"id":"37ebd394c922"}
        {"status":"Download complete","progressDetail":{},"id":"7aca0252d8fc"}
        {"status":"Extracting","progressDetail":{"current":32768,"total":1064334},"progress":"[=\u003e    ]  32.77kB/1.064MB","id":"37ebd394c922"}
        {"status":"Extracting","progressDetail":{"current":1064334,"total":1064334},"progress":"[=====\u003e]  1.064MB/1.064MB","id":"37ebd394c922"}
        {"status":"Pull complete","progressDetail":{},"id":"37ebd394c922"}
        {"status":"Pull complete","progressDetail":{},"id":"7aca0252d8fc"}
        {"status":"Pull complete","progressDetail":{},"id":"4a368bb19fa6"}
        {"status":"Digest: sha256:e7149af53186d76956e50b7487ac38bd6824f3c7548e1fe41267a5760cbba69f"}
        {"status":"Status: Downloaded newer image for 127.0.0.1:5055/app:1"}
        """#

    /// The same engine, with the image there already.
    static let dockerUpToDate = #"""
        {"status":"Pulling from app","id":"1"}
        {"status":"Digest: sha256:e7149af53186d76956e50b7487ac38bd6824f3c7548e1fe41267a5760cbba69f"}
        {"status":"Status: Image is up to date for 127.0.0.1:5055/app:1"}
        """#

    /// The same engine, with one layer of two there already, and a registry that cuts the other one half way.
    static let dockerRetries = #"""
        {"status":"Pulling from app","id":"2"}
        {"status":"Already exists","progressDetail":{},"id":"37ebd394c922"}
        {"status":"Pulling fs layer","progressDetail":{},"id":"0f1e2d3c4b5a"}
        {"status":"Waiting","progressDetail":{},"id":"0f1e2d3c4b5a"}
        {"status":"Downloading","progressDetail":{"current":600,"total":1000},"id":"0f1e2d3c4b5a"}
        {"status":"Retrying in 2 seconds","progressDetail":{},"id":"0f1e2d3c4b5a"}
        {"status":"Retrying in 1 second","progressDetail":{},"id":"0f1e2d3c4b5a"}
        {"status":"Downloading","progressDetail":{"current":100,"total":1000},"id":"0f1e2d3c4b5a"}
        {"status":"Downloading","progressDetail":{"current":900,"total":1000},"id":"0f1e2d3c4b5a"}
        {"errorDetail":{"message":"unexpected EOF"},"error":"unexpected EOF"}
        """#

    /// podman 4.3.1: no sizes, no digest; the last id is the image's.
    static let podman = #"""
        {"status":"Pulling fs layer","progressDetail":{},"id":"37ebd394c922"}
        {"status":"Already exists","progressDetail":{},"id":"7aca0252d8fc"}
        {"status":"Pulling fs layer","progressDetail":{},"id":"4a368bb19fa6"}
        {"status":"Download complete","progressDetail":{},"id":"37ebd394c922"}
        {"status":"Download complete","progressDetail":{},"id":"4a368bb19fa6"}
        {"status":"Download complete","progressDetail":{},"id":"b75ec20e08e2"}
        """#

    /// podman 4.3.1 with a tag that the registry does not have: the status of the answer is 200 all the same.
    static let podmanMissing = #"""
        {"progressDetail":{},"errorDetail":{"message":"initializing source docker://127.0.0.1:5055/app:9: reading manifest 9 in 127.0.0.1:5055/app: manifest unknown: manifest unknown"},"error":"initializing source docker://127.0.0.1:5055/app:9: reading manifest 9 in 127.0.0.1:5055/app: manifest unknown: manifest unknown"}
        """#
}
