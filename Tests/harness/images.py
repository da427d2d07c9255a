"""Images, made here to the byte: a busybox tree with a small app, and layers of any size on top."""

from __future__ import annotations

import functools
import gzip
import hashlib
import http.client
import io
import json
import random
import re
import signal
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

#: Ends on SIGTERM at once, as an app should. What a test wants it to do comes in by the environment: ON_START runs
#: first of all, ON_TERM when it is told to end.
APP = b"""#!/bin/sh
trap 'eval "$ON_TERM"; exit 0' TERM INT
eval "$ON_START"
echo "app $RESIN_APP_ID runs: $0"
while :; do
    sleep 3600 &
    wait $!
done
"""
COMMAND = ["/bin/sh", "/app/main"]
PATH = "/bin:/app"
#: For an image with a health check that is through within seconds. What it finds is what ON_CHECK of the environment
#: says, and without that the app is healthy.
HEALTHCHECK = 'HEALTHCHECK --interval=1s --timeout=1s --retries=2 CMD eval "$ON_CHECK"'


def listens(container: dict[str, Any]) -> bool:
    """Whether the app of these images has come to its trap. Process 1 of a container is deaf to SIGTERM without one: who
    stops it earlier waits for the engine's SIGKILL, ten seconds."""
    if container["Config"]["Cmd"] != COMMAND:
        return True
    process = Path("/proc") / str(container["State"]["Pid"])
    try:
        # In this order: until the program itself is in the process it is runc, which catches every signal.
        command = (process / "cmdline").read_bytes().split(b"\0")
        status = (process / "status").read_text()
    except OSError:
        return False
    if command[: len(COMMAND)] != [word.encode() for word in COMMAND]:
        return False
    caught = re.search(r"^SigCgt:\s*(\w+)", status, re.MULTILINE)
    return caught is not None and bool(int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


def _archive(files: dict[str, tuple[bytes | str, int]]) -> bytes:
    """A tar with the same bytes for the same content; a str as content is a link's target."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in sorted({str(parent) for name in files for parent in Path(name).parents if str(parent) != "."}):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(info)
        for name, (content, mode) in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.mode = mode
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@functools.cache
def base_layer() -> bytes:
    """The tree that every image of the suite starts with."""
    busybox = Path("/bin/busybox").read_bytes()
    files: dict[str, tuple[bytes | str, int]] = {
        "bin/busybox": (busybox, 0o755),
        "app/main": (APP, 0o755),
        "etc/passwd": (b"root:x:0:0:root:/:/bin/sh\napp:x:1234:1234::/:/bin/sh\n", 0o644),
        "tmp/.keep": (b"", 0o644),
    }
    tools = "sh sleep wget nc cat ls echo flock mkdir rm rmdir chmod chown ln touch kill ps stat id dd sync httpd mv"
    for tool in tools.split() + ["find", "test", "env", "true", "false", "date", "seq", "head", "tr", "nslookup", "timeout"]:
        files[f"bin/{tool}"] = ("busybox", 0o777)
    return _archive(files)


def changes(*more: str) -> list[str]:
    """What an image without a registry is imported with, as lines of a Dockerfile."""
    return ['CMD ["' + '", "'.join(COMMAND) + '"]', f"ENV PATH={PATH}", *more]


def noise_layer(size: int, seed: str) -> bytes:
    """A layer of about `size` bytes that does not compress."""
    return _archive({f"noise/{seed}": (random.Random(seed).randbytes(size), 0o644)})


@dataclass
class RegistryImage:
    reference: str
    digest: str
    layers: list[str]
    size: int


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def push(registry: str, repository: str, tag: str, layers: list[bytes]) -> RegistryImage:
    """Puts an image into a registry (an address such as 127.0.0.1:5000) by the registry's own API."""
    connection = http.client.HTTPConnection(registry, timeout=30)

    def call(method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> http.client.HTTPResponse:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        answer.read()
        assert answer.status < 300 or answer.status == 404, f"{method} {path}: {answer.status}"
        return answer

    def blob(data: bytes) -> dict[str, object]:
        digest = _digest(data)
        if call("HEAD", f"/v2/{repository}/blobs/{digest}").status == 404:
            location = urlsplit(call("POST", f"/v2/{repository}/blobs/uploads/").headers["Location"])
            query = (location.query + "&" if location.query else "") + f"digest={digest}"
            call("PUT", f"{location.path}?{query}", data, {"Content-Type": "application/octet-stream"})
        return {"size": len(data), "digest": digest}

    packed = [gzip.compress(layer, 1, mtime=0) for layer in layers]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": COMMAND, "Env": [f"PATH={PATH}"]},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer) for layer in layers]},
        "history": [{"created_by": f"{repository}:{tag} layer {index}"} for index in range(len(layers))],
    }
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {
                "mediaType": "application/vnd.docker.container.image.v1+json",
                **blob(json.dumps(config).encode()),
            },
            "layers": [
                {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", **blob(layer)} for layer in packed
            ],
        }
    ).encode()
    kind = {"Content-Type": "application/vnd.docker.distribution.manifest.v2+json"}
    call("PUT", f"/v2/{repository}/manifests/{tag}", manifest, kind)
    connection.close()
    return RegistryImage(
        f"{registry}/{repository}:{tag}",
        _digest(manifest),
        [_digest(layer) for layer in packed],
        sum(len(layer) for layer in packed),
    )
