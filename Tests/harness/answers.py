"""What every answer of a kind is, to the byte."""

from __future__ import annotations

import re

from .wire import Response

TEXT = "text/plain; charset=utf-8"
JSON = "application/json; charset=utf-8"
#: What a proxy on the way lets through.
PLAIN = re.compile(r"[A-Za-z0-9 :'.?!,/-]*")


def is_text(answer: Response, status: int, text: str | None = None) -> None:
    """One line of plain text; `text` None takes any that says something."""
    assert (answer.status, answer.header("Content-Type")) == (status, TEXT), answer
    assert answer.header("Content-Length") == str(len(answer.body))
    if text is not None:
        assert answer.body == text.encode()
    else:
        assert answer.text and "\n" not in answer.text
        assert PLAIN.fullmatch(answer.text), answer.text


def is_error_object(answer: Response, status: int) -> None:
    """As the endpoints that were once written in Go answer a failure."""
    assert (answer.status, answer.header("Content-Type")) == (status, JSON), answer
    pairs = answer.pairs
    assert [name for name, _ in pairs] == ["Data", "Error"]
    assert pairs[0][1] == "" and pairs[1][1]
    assert PLAIN.fullmatch(pairs[1][1]), pairs
    assert answer.body == b'{"Data":"","Error":"%s"}' % pairs[1][1].encode()


def is_empty(answer: Response, status: int) -> None:
    assert (answer.status, answer.body) == (status, b""), answer
    if status == 204:
        assert answer.header("Content-Length") is None, "a 204 has no length (RFC 9110, 8.6)"
        assert answer.header("Content-Type") is None
    else:
        assert answer.header("Content-Length") == "0"
