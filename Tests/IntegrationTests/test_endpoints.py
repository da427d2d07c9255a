"""Every endpoint of the API, success and failure, to the byte."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from harness import target
from harness.answers import JSON, TEXT, is_empty, is_error_object, is_text
from harness.supervisor import Supervisor
from harness.target import UNKNOWN
from harness.waiting import wait_until
from harness.wire import Connection, Response, exchange, request

HEX64 = re.compile(r"[0-9a-f]{64}")

#: (method, path, methods that Allow names) of everything that exists
ENDPOINTS = [
    ("GET", "/ping", {"GET", "HEAD"}),
    ("POST", "/v1/blink", {"POST"}),
    ("POST", "/v1/update", {"POST"}),
    ("POST", "/v1/reboot", {"POST"}),
    ("POST", "/v1/shutdown", {"POST"}),
    ("POST", "/v1/purge", {"POST"}),
    ("POST", "/v1/restart", {"POST"}),
    ("POST", "/v1/tcp-ping", {"POST", "DELETE"}),
    ("DELETE", "/v1/tcp-ping", {"POST", "DELETE"}),
    ("POST", "/v1/regenerate-api-key", {"POST"}),
    ("GET", "/v1/device", {"GET", "HEAD"}),
    ("POST", f"/v1/apps/{target.APP}/stop", {"POST"}),
    ("POST", f"/v1/apps/{target.APP}/start", {"POST"}),
    ("GET", f"/v1/apps/{target.APP}", {"GET", "HEAD"}),
    ("GET", "/v1/healthy", {"GET", "HEAD"}),
    ("GET", "/v1/device/host-config", {"GET", "HEAD", "PATCH"}),
    ("PATCH", "/v1/device/host-config", {"GET", "HEAD", "PATCH"}),
]
PATHS = sorted({path for _, path, _ in ENDPOINTS})


def allow(answer: Response) -> set[str]:
    return {word.strip() for word in (answer.header("Allow") or "").split(",") if word.strip()}


@pytest.fixture
def container(device: Supervisor) -> str:
    """The id of the container before the test; the app runs again after it."""
    answer = device.api("POST", f"/v1/apps/{target.APP}/start")
    assert answer.status == 200, answer
    return device.engine.running(target.APP)["Id"]


# ---- ping, and what holds for all answers


@pytest.mark.parametrize("path", ["/ping", "//ping", "/ping/", "/PING", "/Ping/", "///ping//"])
def test_ping_says_ok(device: Supervisor, path: str) -> None:
    is_text(device.api("GET", path), 200, "OK")


def test_an_answer_comes_in_one_piece(device: Supervisor) -> None:
    with Connection(device.address) as connection:
        connection.send(request("GET", f"/ping?apikey={device.key}"))
        piece = connection.socket.recv(65536)
    assert piece.startswith(b"HTTP/1.1 200 OK\r\n") and piece.endswith(b"\r\n\r\nOK")


def test_the_request_id_comes_back_and_is_in_the_log(device: Supervisor) -> None:
    answer = device.api("POST", "/v1/update", headers=[("X-Request-Id", "trace-4711")])
    assert answer.header("X-Request-Id") == "trace-4711"
    device.logged("trace-4711")


def test_a_request_without_an_id_gets_one(device: Supervisor) -> None:
    first, second = (device.api("GET", "/ping").header("X-Request-Id") for _ in range(2))
    assert first and second and first != second


@pytest.mark.parametrize("value", ["a" * 5000, "a b", 'x"y', "ä"])
def test_a_request_id_that_could_spoil_a_log_is_not_taken_as_it_is(device: Supervisor, value: str) -> None:
    answer = device.api("GET", "/ping", headers=[("X-Request-Id", value)])
    assert answer.status in (200, 400, 431)
    assert answer.header("X-Request-Id") != value or value == "a b"


def test_the_key_is_never_in_the_log(device: Supervisor) -> None:
    device.api("GET", f"/v1/device?apikey={device.key}", key=None, headers=[("X-Request-Id", "marked-request")])
    device.api("GET", f"/nothing?apikey={device.key}", key=None)
    device.api("POST", "/v1/update")
    assert device.key not in device.log


# ---- keys


@pytest.mark.parametrize(
    "place",
    [
        ("?apikey={key}", []),
        ("?x=1&apikey={key}&y=2", []),
        ("?apikey={key}&", []),
        ("", [("Authorization", "Bearer {key}")]),
        ("", [("Authorization", "bearer {key}")]),
        ("", [("Authorization", "BEARER {key}")]),
        ("", [("Authorization", "ApiKey {key}")]),
        ("", [("Authorization", "apikey {key}")]),
        ("", [("authorization", "Bearer  {key}")]),
        ("?apikey=wrong", [("Authorization", "Bearer {key}")]),
        ("?apikey={key}", [("Authorization", "Bearer wrong")]),
        ("?apikey={key}", [("Authorization", "Basic eDp5")]),
    ],
)
def test_the_right_key_in_any_place_opens(device: Supervisor, place: tuple[str, list[tuple[str, str]]]) -> None:
    query, headers = place
    headers = [(name, value.format(key=device.key)) for name, value in headers]
    is_text(device.api("GET", "/ping" + query.format(key=device.key), key=None, headers=headers), 200, "OK")


@pytest.mark.parametrize(
    "place",
    [
        ("", []),
        ("?apikey=", []),
        ("?apikey", []),
        ("?apikey=wrong", []),
        ("?APIKEY={key}", []),
        ("?ApiKey={key}", []),
        ("?xapikey={key}", []),
        ("?x=apikey={key}", []),
        ("?apikey={key}&apikey={key}", []),
        ("?apikey={key}&apikey=wrong", []),
        ("?apikey={upper}", []),
        ("?apikey={key}0", []),
        ("?apikey={short}", []),
        ("", [("Authorization", "{key}")]),
        ("", [("Authorization", "Basic {key}")]),
        ("", [("Authorization", "Bearer{key}")]),
        ("", [("Authorization", "Bearer wrong")]),
        ("", [("X-Api-Key", "{key}")]),
    ],
)
def test_no_key_or_a_wrong_one_is_unauthorized(device: Supervisor, place: tuple[str, list[tuple[str, str]]]) -> None:
    query, headers = place
    words = {"key": device.key, "upper": device.key.upper(), "short": device.key[:-1]}
    if words["upper"] == words["key"]:
        words["upper"] = "A" * 64
    headers = [(name, value.format(**words)) for name, value in headers]
    answer = device.api("GET", "/ping" + query.format(**words), key=None, headers=headers)
    is_text(answer, 401, "Unauthorized")


@pytest.mark.parametrize("path", ["/ping", "/v1/device", "/nothing", "/v1/purge", "/"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PROPFIND"])
def test_the_key_is_asked_for_before_path_and_method(device: Supervisor, method: str, path: str) -> None:
    answer = device.api(method, path, key=None)
    is_text(answer, 401, "Unauthorized")


def test_without_a_key_the_body_is_not_waited_for(device: Supervisor) -> None:
    with Connection(device.address, timeout=3) as connection:
        connection.send(b"POST /v1/purge HTTP/1.1\r\nHost: d\r\nContent-Length: 100000\r\n\r\n")
        answer = connection.receive("POST")
        is_text(answer, 401, "Unauthorized")
        assert (answer.header("Connection") or "").lower() == "close"
        assert connection.closed_by_peer()


# ---- paths and methods


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/nothing", "/v2/device", "/pingg", "/v1/apps", "/v1/device/x", "/v1/apps/1/2/3", "/device"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_path_is_not_found(device: Supervisor, method: str, path: str) -> None:
    is_text(device.api(method, path), 404)


ALLOWED = {path: methods for _, path, methods in ENDPOINTS}
WRONG_METHODS = [
    (method, path)
    for path in PATHS
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "TRACE")
    if method not in ALLOWED[path]
]


@pytest.mark.parametrize(("method", "path"), WRONG_METHODS)
def test_another_method_is_not_allowed_and_the_right_ones_are_named(device: Supervisor, method: str, path: str) -> None:
    answer = device.api(method, path)
    is_text(answer, 405)
    assert allow(answer) - {"OPTIONS"} == ALLOWED[path]


@pytest.mark.parametrize("path", PATHS)
def test_options_names_the_methods(device: Supervisor, path: str) -> None:
    answer = device.api("OPTIONS", path)
    is_empty(answer, 204)
    assert allow(answer) - {"OPTIONS"} == ALLOWED[path]


@pytest.mark.parametrize("path", ["/ping", "/v1/healthy", f"/v1/apps/{target.APP}", "/v1/device"])
def test_head_is_get_without_the_body(device: Supervisor, path: str) -> None:
    head, get = device.api("HEAD", path), device.api("GET", path)
    assert (head.status, head.body) == (get.status, b"")
    for name in ("Content-Type", "Content-Length"):
        assert head.header(name) == get.header(name)


@pytest.mark.parametrize(
    "path", [f"/V1/APPS/{target.APP}", f"/v1//apps/{target.APP}/", f"//v1/apps//{target.APP}", f"/v1/Apps/{target.APP}?x=y"]
)
def test_case_and_slashes_of_a_path_do_not_matter(device: Supervisor, path: str) -> None:
    assert device.api("GET", path).json["appId"] == target.APP


# ---- connections


def test_one_connection_serves_many_requests(device: Supervisor) -> None:
    with Connection(device.address) as connection:
        for _ in range(20):
            connection.send(request("GET", f"/ping?apikey={device.key}"))
            is_text(connection.receive(), 200, "OK")


def test_pipelined_requests_are_answered_in_their_order(device: Supervisor) -> None:
    key = device.key
    with Connection(device.address) as connection:
        connection.send(
            request("GET", f"/ping?apikey={key}", [("X-Request-Id", "one")])
            + request("POST", f"/v1/restart?apikey={key}", [("X-Request-Id", "two")], b"{}")
            + request("GET", f"/nothing?apikey={key}", [("X-Request-Id", "three")])
            + request("HEAD", f"/ping?apikey={key}", [("X-Request-Id", "four")])
            + request("GET", f"/ping?apikey={key}", [("X-Request-Id", "five")])
        )
        answers = [connection.receive(method) for method in ("GET", "POST", "GET", "HEAD", "GET")]
    assert [answer.status for answer in answers] == [200, 400, 404, 200, 200]
    assert [answer.header("X-Request-Id") for answer in answers] == ["one", "two", "three", "four", "five"]


@pytest.mark.parametrize(
    ("version", "headers", "closes"),
    [
        ("HTTP/1.1", [], False),
        ("HTTP/1.1", [("Connection", "close")], True),
        ("HTTP/1.0", [], True),
    ],
)
def test_connections_end_as_the_protocol_says(
    device: Supervisor, version: str, headers: list[tuple[str, str]], closes: bool
) -> None:
    with Connection(device.address) as connection:
        connection.send(request("GET", f"/ping?apikey={device.key}", headers, version=version))
        is_text(connection.receive(), 200, "OK")
        assert connection.closed_by_peer(within=1) == closes


def test_a_client_that_asks_first_is_told_to_go_on(device: Supervisor) -> None:
    body = b'{"force":false}'
    with Connection(device.address, timeout=5) as connection:
        headers = [("Expect", "100-continue"), ("Content-Length", str(len(body)))]
        connection.send(request("POST", f"/v1/update?apikey={device.key}", headers))
        assert connection.receive("POST").status == 100
        connection.send(body)
        is_empty(connection.receive("POST"), 204)


def test_a_chunked_body_is_read(device: Supervisor, container: str) -> None:
    body = b'5;x=y\r\n{"app\r\n%x\r\nId":%d}\r\n0\r\nTrailer: x\r\n\r\n' % (len(f'Id":{UNKNOWN}}}'), UNKNOWN)
    with Connection(device.address) as connection:
        connection.send(request("POST", f"/v1/restart?apikey={device.key}", [("Transfer-Encoding", "chunked")], body))
        is_text(connection.receive("POST"), 404)


# ---- bodies


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'"x"', "application/json"),
        (b"null", "application/json"),
        (b"1", None),
        (b"nonsense", None),
        (b"nonsense", "application/json"),
        (b"appId=1000001", "application/json"),
        (b"appId=1000001", None),
        (b'{"appId":1000001,}', "application/json"),
        (b"{'appId':1000001}", "application/json"),
        (b'{"appId":1000001} x', "application/json"),
        (b'{"appId":1000001,"appId":1000001}', "application/json"),
        (b'{"x":"\xff"}', "application/json"),
        (b'{"x":"\xed\xa0\x80"}', "application/json"),
        (b"[" * 5000, "application/json"),
        (b'{"appId":01000001}', "application/json"),
        (b'{"appId":NaN}', "application/json"),
        (b"\x00", "application/json"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(device: Supervisor, container: str, body: bytes, kind: str | None) -> None:
    headers = [("Authorization", f"Bearer {device.key}")] + ([("Content-Type", kind)] if kind else [])
    for path, check in (("/v1/restart", is_text), ("/v1/purge", is_error_object)):
        check(exchange(device.address, request("POST", path, headers, body)), 400)
    assert device.engine.running(target.APP)["Id"] == container


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"appId":%d}', "application/json"),
        (b'{"appId":%d}', "application/json; charset=utf-8"),
        (b'{"appId":%d}', "application/x-www-form-urlencoded"),
        (b'{"appId":%d}', "text/plain"),
        (b'{"appId":%d}', None),
        (b'{"appId":"%d"}', None),
        (b' \r\n\t{ "appId" : %d , "more" : [1, {"x": null}] }\n', None),
        (b'{"more":1,"appId":%d}', None),
        (b"appId=%d", "application/x-www-form-urlencoded"),
        (b"x=y&appId=%d&force=", "application/x-www-form-urlencoded"),
        (b"x=%%20&appId=%d", "Application/X-WWW-Form-URLEncoded; charset=utf-8"),
    ],
)
def test_a_body_is_understood_whatever_its_type_says(device: Supervisor, body: bytes, kind: str | None) -> None:
    headers = [("Authorization", f"Bearer {device.key}")] + ([("Content-Type", kind)] if kind else [])
    # Understood is what gets as far as "no such app".
    is_text(exchange(device.address, request("POST", "/v1/restart", headers, body % UNKNOWN)), 404)


def padded(size: int) -> bytes:
    """A good body of so many bytes."""
    head = b'{"appId":%d,"x":"' % UNKNOWN
    return head + b"a" * (size - len(head) - 2) + b'"}'


@pytest.mark.parametrize(("size", "status"), [(100_000, 404), (102_401, 413), (300_000, 413)])
def test_a_body_over_100_kb_is_too_large(device: Supervisor, size: int, status: int) -> None:
    is_text(device.api("POST", "/v1/restart", padded(size)), status)


def test_a_body_that_says_it_will_be_too_large_is_not_waited_for(device: Supervisor) -> None:
    headers = [("Authorization", f"Bearer {device.key}"), ("Content-Length", "5000000")]
    with Connection(device.address, timeout=3) as connection:
        connection.send(request("POST", "/v1/restart", headers))
        is_text(connection.receive("POST"), 413)


def test_a_chunked_body_over_100_kb_is_too_large(device: Supervisor) -> None:
    chunk = b"1000\r\n" + b" " * 0x1000 + b"\r\n"
    headers = [("Authorization", f"Bearer {device.key}"), ("Transfer-Encoding", "chunked")]
    with Connection(device.address) as connection:
        connection.send(request("POST", "/v1/restart", headers, chunk * 40))
        is_text(connection.receive("POST"), 413)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "x-unheard-of"])
def test_a_packed_body_is_not_supported(device: Supervisor, encoding: str) -> None:
    is_text(device.api("POST", "/v1/restart", b'{"appId":1}', headers=[("Content-Encoding", encoding)]), 415)


@pytest.mark.parametrize("path", ["/v1/update", f"/v1/apps/{target.APP}/start"])
@pytest.mark.parametrize("body", [None, b"", b"{}"])
def test_an_empty_body_is_an_empty_object(device: Supervisor, container: str, path: str, body: bytes | None) -> None:
    assert device.api("POST", path, body).status in (200, 204)


def test_an_endpoint_without_a_body_ignores_one(device: Supervisor, container: str) -> None:
    answer = device.api("POST", f"/v1/apps/{target.APP}/start", b"nonsense")
    assert (answer.status, answer.body) == (200, b'{"containerId":"%s"}' % container.encode())
    is_text(device.api("GET", "/ping", b"nonsense"), 200, "OK")


# ---- appId and force

BAD_APP_IDS: list[Any] = [
    None, True, False, [], {}, [target.APP], "", " ", "abc", "1000001x", " 1000001", "1000001 ", "+1000001", "-1000001",
    "0x10", "1e6", "1000001.0", 1000001.5, 1e300, -1, "１００",
]  # fmt: skip


@pytest.mark.parametrize("value", BAD_APP_IDS, ids=repr)
@pytest.mark.parametrize("path", ["/v1/restart", "/v1/purge"])
def test_an_app_id_that_is_none_is_refused(device: Supervisor, container: str, path: str, value: Any) -> None:
    check = is_error_object if path == "/v1/purge" else is_text
    check(device.api("POST", path, {"appId": value}), 400)
    assert device.engine.running(target.APP)["Id"] == container


@pytest.mark.parametrize("text", ["1000001.0", "1.000001e6", "10000010e-1", "1000001.000e0"])
def test_a_whole_number_is_one_however_it_is_written(device: Supervisor, container: str, text: str) -> None:
    body = f'{{"appId":{text}}}'.encode()
    answer = device.api("POST", "/v1/restart", body, headers=[("Content-Type", JSON)])
    assert answer.status == 200, answer


@pytest.mark.parametrize("path", ["/v1/restart", "/v1/purge"])
def test_an_app_id_must_be_given(device: Supervisor, path: str) -> None:
    check = is_error_object if path == "/v1/purge" else is_text
    for body in (None, {}, {"force": True}, {"appid": target.APP}):
        check(device.api("POST", path, body), 400)


@pytest.mark.parametrize("value", ["abc", "1000001x", "-1", "1e6", "1.0", "%20", "0x1", "+1"])
@pytest.mark.parametrize("verb", ["", "/stop", "/start"])
def test_an_app_id_in_the_path_that_is_none_is_refused(device: Supervisor, container: str, value: str, verb: str) -> None:
    is_text(device.api("POST" if verb else "GET", f"/v1/apps/{value}{verb}"), 400)


@pytest.mark.parametrize("value", [UNKNOWN, "999", 0, 2**40])
def test_an_unknown_app_is_not_found(device: Supervisor, value: Any) -> None:
    is_text(device.api("POST", "/v1/restart", {"appId": value}), 404)
    is_error_object(device.api("POST", "/v1/purge", {"appId": value}), 404)
    for verb in ("stop", "start"):
        is_text(device.api("POST", f"/v1/apps/{value}/{verb}"), 404)
    is_text(device.api("GET", f"/v1/apps/{value}"), 404)


def test_an_app_id_beyond_all_numbers_is_refused_and_harms_nothing(device: Supervisor) -> None:
    for value in ("9" * 19, "9" * 30, "9" * 500):
        assert device.api("GET", f"/v1/apps/{value}").status in (400, 404)
        answer = device.api("POST", "/v1/restart", b'{"appId":%s}' % value.encode())
        assert answer.status in (400, 404)


@pytest.fixture
def locked(device: Supervisor, container: str):
    """The app holds its lock."""
    lock = device.lock_folder() / "updates.lock"
    lock.touch()
    yield device
    lock.unlink(missing_ok=True)


@pytest.mark.parametrize(
    "body",
    [b"{}"]
    + [json.dumps({"force": value}).encode() for value in (False, None, 0, 2, 1.5, "0", "false", "yes", "", [], {}, [1], "no")]
    + [b'{"Force":true}', b'{"FORCE":true}', b'{"force ":true}'],
)
def test_what_is_not_force_leaves_the_lock_in_force(locked: Supervisor, container: str, body: bytes) -> None:
    is_text(locked.api("POST", f"/v1/apps/{target.APP}/stop", body), 423)
    assert locked.engine.running(target.APP)["Id"] == container


def test_force_in_the_query_counts_for_nothing(locked: Supervisor, container: str) -> None:
    for query in ("force=true", "force=1", "force"):
        is_text(locked.api("POST", f"/v1/apps/{target.APP}/stop?{query}"), 423)


@pytest.mark.parametrize(
    ("body", "kind"),
    [(json.dumps({"force": value}).encode(), "application/json") for value in (True, 1, "1", "true", "TRUE", "on", "On")]
    + [(b"force=true", "application/x-www-form-urlencoded"), (b"force=on", "application/x-www-form-urlencoded")],
)
def test_force_in_all_its_forms_overrides_the_lock(locked: Supervisor, container: str, body: bytes, kind: str) -> None:
    headers = [("Authorization", f"Bearer {locked.key}"), ("Content-Type", kind)]
    answer = exchange(locked.address, request("POST", f"/v1/apps/{target.APP}/stop", headers, body), timeout=30)
    assert (answer.status, answer.body) == (200, b'{"containerId":"%s"}' % container.encode()), answer


def test_each_endpoint_answers_a_lock_in_its_own_form(locked: Supervisor, container: str) -> None:
    is_text(locked.api("POST", "/v1/restart", {"appId": target.APP}), 423)
    is_text(locked.api("POST", f"/v1/apps/{target.APP}/stop"), 423)
    is_error_object(locked.api("POST", "/v1/purge", {"appId": target.APP}), 423)
    assert locked.engine.running(target.APP)["Id"] == container


# ---- one by one


def test_update_is_answered_at_once_and_empty(device: Supervisor) -> None:
    is_empty(device.api("POST", "/v1/update"), 204)
    is_empty(device.api("POST", "/v1/update", {"force": False}), 204)


def test_purge_empties_data_and_starts_the_app_again(device: Supervisor, container: str) -> None:
    device.engine.shell(container, "echo x > /data/file; mkdir -p /data/dir/deep; echo y > /data/dir/deep/.hidden")
    answer = device.api("POST", "/v1/purge", {"appId": target.APP})
    assert (answer.status, answer.header("Content-Type")) == (200, JSON)
    assert answer.body == b'{"Data":"OK","Error":""}'
    after = device.engine.running(target.APP)
    assert device.engine.shell(after["Id"], "ls -A /data") == ""


def test_purge_follows_no_link_and_touches_nothing_else(device: Supervisor, container: str) -> None:
    outside = device.root / "precious"
    outside.mkdir(exist_ok=True)
    outside.chmod(0o777)
    (outside / "file").write_text("kept")
    other = device.data / "7777"
    other.mkdir(exist_ok=True)
    (other / "file").write_text("kept")
    (device.data_folder() / "link").symlink_to(outside)
    (device.data_folder() / "filelink").symlink_to(outside / "file")
    assert device.api("POST", "/v1/purge", {"appId": target.APP}).status == 200
    assert list(device.data_folder().iterdir()) == []
    assert (outside / "file").read_text() == (other / "file").read_text() == "kept"


def test_purge_takes_what_root_made_out_of_the_apps_sight(device: Supervisor, container: str) -> None:
    device.engine.shell(container, "mkdir -m 700 /data/private; echo x > /data/private/file; chmod 0 /data/private")
    assert device.api("POST", "/v1/purge", {"appId": target.APP}).body == b'{"Data":"OK","Error":""}'
    after = device.engine.running(target.APP)
    assert device.engine.shell(after["Id"], "ls -A /data") == ""


def test_restart_makes_a_new_container(device: Supervisor, container: str) -> None:
    device.engine.shell(container, "touch /written-into-the-container; echo kept > /data/kept")
    is_text(device.api("POST", "/v1/restart", {"appId": target.APP}), 200, "OK")
    after = device.engine.running(target.APP)
    assert after["Id"] != container
    assert device.engine.shell(after["Id"], "cat /data/kept; ls -A / | grep -c written || true") == "kept\n0"


def test_stop_keeps_the_container_and_start_takes_it_again(device: Supervisor, container: str) -> None:
    expected = b'{"containerId":"%s"}' % container.encode()
    assert HEX64.fullmatch(container)
    for verb, running in (("stop", False), ("stop", False), ("start", True), ("start", True)):
        answer = device.api("POST", f"/v1/apps/{target.APP}/{verb}")
        assert (answer.status, answer.header("Content-Type"), answer.body) == (200, JSON, expected)
        assert device.engine.container(target.APP)["State"]["Running"] is running


def test_a_stopped_app_stays_stopped_while_the_supervisor_runs(device: Supervisor, container: str) -> None:
    assert device.api("POST", f"/v1/apps/{target.APP}/stop").status == 200
    device.update()
    wait_until(lambda: device.device()["status"] == "Idle", 10, "the check is over")
    assert not device.engine.container(target.APP)["State"]["Running"]


DEVICE_KEYS = [
    "api_port", "ip_address", "commit", "status", "download_progress", "os_version", "supervisor_version",
    "update_pending", "update_downloaded", "update_failed",
]  # fmt: skip


def test_device_tells_the_state_in_the_order_of_the_reference(device: Supervisor, container: str) -> None:
    wait_until(lambda: device.device()["status"] == "Idle", 10, "idle")
    answer = device.api("GET", "/v1/device")
    assert (answer.status, answer.header("Content-Type")) == (200, JSON)
    pairs = answer.pairs
    assert [name for name, _ in pairs][:10] == DEVICE_KEYS
    state = dict(pairs)
    assert state["api_port"] == device.port
    assert isinstance(state["ip_address"], str)
    assert state["commit"] == target.commit("a")
    assert (state["status"], state["download_progress"]) == ("Idle", None)
    os_name = next(line for line in open("/etc/os-release") if line.startswith("PRETTY_NAME"))
    assert state["os_version"] == os_name.split("=", 1)[1].strip().strip('"')
    # The SDKs ask for 1.8.0 and more before they stop or start an application.
    assert state["supervisor_version"] == "6.6.11"
    assert re.fullmatch(r"\d+\.\d+\.\d+", state["agent_version"])
    assert state["agent_version"] in device.ctl("--version").stdout
    assert (state["update_pending"], state["update_downloaded"], state["update_failed"]) == (False, False, False)
    assert answer.body == json.dumps(dict(pairs), separators=(",", ":"), ensure_ascii=False).encode(), "it is compact"


def test_an_app_is_described_without_the_key(device: Supervisor, container: str) -> None:
    answer = device.api("GET", f"/v1/apps/{target.APP}")
    assert (answer.status, answer.header("Content-Type")) == (200, JSON)
    pairs = answer.pairs
    assert [name for name, _ in pairs] == ["appId", "commit", "imageId", "containerId", "env"]
    head = b'{"appId":%d,"commit":"%s","imageId":"demo:1","containerId":"%s","env":{' % (
        target.APP,
        target.commit("a").encode(),
        container.encode(),
    )
    assert answer.body.startswith(head) and answer.body.endswith(b"}}")
    env = dict(dict(pairs)["env"])
    assert env["FOO"] == "bar"
    assert not [name for name in env if name.endswith("API_KEY")]
    assert device.key.encode() not in answer.body


def test_healthy_needs_no_key_and_says_nothing(device: Supervisor) -> None:
    for key in (None, "wrong", ""):
        is_empty(device.api("GET", "/v1/healthy", key=key), 200)


HOST_ENDPOINTS = [
    ("POST", "/v1/reboot", None),
    ("POST", "/v1/shutdown", None),
    ("POST", "/v1/tcp-ping", None),
    ("DELETE", "/v1/tcp-ping", None),
    ("GET", "/v1/device/host-config", None),
    ("PATCH", "/v1/device/host-config", {"network": {"hostname": "x"}}),
]


@pytest.mark.parametrize(("method", "path", "body"), HOST_ENDPOINTS)
def test_what_needs_a_plugin_is_not_implemented_without_one(
    device: Supervisor, container: str, method: str, path: str, body: Any
) -> None:
    answer = device.api(method, path, body)
    assert answer.status == 501, answer
    if path in ("/v1/reboot", "/v1/shutdown"):
        is_error_object(answer, 501)
    else:
        is_text(answer, 501)
    assert device.engine.running(target.APP)["Id"] == container, "nothing was stopped for it"


def test_a_board_without_a_led_blinks_without_it(device: Supervisor) -> None:
    answer = device.api("POST", "/v1/blink")
    is_empty(answer, 200)
    assert answer.header("X-Supervisor-Led") == "none"


def test_a_new_key_is_in_force_at_once_and_reaches_the_app(device: Supervisor, container: str) -> None:
    old = device.key
    answer = device.api("POST", "/v1/regenerate-api-key")
    assert (answer.status, answer.header("Content-Type")) == (200, TEXT)
    new = answer.text
    assert HEX64.fullmatch(new) and new != old
    is_text(device.api("GET", "/ping", key=old), 401, "Unauthorized")
    is_text(device.api("GET", "/ping", key=new), 200, "OK")
    assert device.key_file.read_bytes() == new.encode()
    assert device.key_file.stat().st_mode & 0o7777 == 0o600
    device.update()

    def app_has_it() -> bool:
        env = device.engine.running(target.APP)["Config"]["Env"]
        assert f"RESIN_SUPERVISOR_API_KEY={old}" not in env
        return f"RESIN_SUPERVISOR_API_KEY={new}" in env and f"BALENA_SUPERVISOR_API_KEY={new}" in env

    wait_until(app_has_it, 15, "the app's container has the new key")
    for folder in (device.state,):
        for file in folder.iterdir():
            if file.is_file():
                assert old.encode() not in file.read_bytes(), f"the dead key is still in {file.name}"
    device.wait_settled(release="a")


def test_a_connection_that_was_open_when_the_key_changed_needs_the_new_one(device: Supervisor, container: str) -> None:
    old = device.key
    with Connection(device.address) as connection:
        connection.send(request("GET", f"/ping?apikey={old}"))
        is_text(connection.receive(), 200, "OK")
        new = device.api("POST", "/v1/regenerate-api-key").text
        connection.send(request("GET", f"/ping?apikey={old}"))
        is_text(connection.receive(), 401, "Unauthorized")
    is_text(device.api("GET", "/ping", key=new), 200, "OK")
    device.update()
    wait_until(
        lambda: f"RESIN_SUPERVISOR_API_KEY={new}" in device.engine.running(target.APP)["Config"]["Env"],
        15,
        "the app's container has the new key",
    )
    device.wait_settled(release="a")
