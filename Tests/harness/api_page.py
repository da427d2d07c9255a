"""docs/api.md, taken apart: its endpoints, what each of them may answer, and its examples."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

Endpoint = tuple[str, str]

#: Endpoints that wrap their errors in an object.
WRAPPING = {("POST", "/v1/purge"), ("POST", "/v1/reboot"), ("POST", "/v1/shutdown")}
#: Endpoints that have the errors of operations on applications.
OPERATING = {
    ("POST", "/v1/purge"),
    ("POST", "/v1/restart"),
    ("POST", "/v1/apps/:appId/stop"),
    ("POST", "/v1/apps/:appId/start"),
}
_ENDPOINT = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/\S*)")
_EXAMPLE = re.compile(r"^```sh\n(.*?)^```\n\n^```http\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Row:
    """A line of a table of answers: statuses, body and when it is given."""

    statuses: frozenset[int]
    body: str
    when: str

    @property
    def is_bare(self) -> bool:
        """Whether it says nothing of the text."""
        return "<reason>" in (self.body, json.loads(self.body)["Error"] if self.body.startswith('{"Data"') else "")

    def fits(self, status: int, body: str) -> bool:
        if status not in self.statuses:
            return False
        if self.body in ("empty", "the object"):
            return body == "" if self.body == "empty" else body.startswith("{")
        pattern = "".join(
            ".+" if part.startswith("<") else re.escape(part) for part in re.split(r"(<[^<>]+>)", self.body)
        )
        return re.fullmatch(pattern, body) is not None

    def wrapped(self) -> "Row":
        return Row(self.statuses, f'{{"Data":"","Error":"{self.body}"}}', self.when)


@dataclass(frozen=True)
class Example:
    title: str
    command: str
    #: The status line, and the headers without those that always vary.
    head: list[str]
    #: As it is sent: JSON that the page breaks into lines is compact again.
    body: str


@dataclass
class _Section:
    title: str
    rows: list[Row] = field(default_factory=list)


class APIPage:
    def __init__(self, path: Path) -> None:
        self.text = path.read_text()
        parts = re.split(r"^(?=#+ )", self._outside_of_code(), flags=re.MULTILINE)
        self.sections = [self._section(part) for part in parts if part]
        self.by_endpoint: dict[Endpoint, _Section] = {}
        for section in self.sections:
            if match := _ENDPOINT.fullmatch(section.title):
                assert (match[1], match[2]) not in self.by_endpoint, f"{section.title} is there twice"
                self.by_endpoint[match[1], match[2]] = section
        self.examples = self._examples()

    @property
    def endpoints(self) -> list[Endpoint]:
        return list(self.by_endpoint)

    @property
    def contents(self) -> list[tuple[str, str]]:
        """The table at the top: title and anchor."""
        return re.findall(r"^\| \[([^]]+)\]\(#(\S+)\) \|", self.text, re.MULTILINE)

    @property
    def control_routes(self) -> list[Endpoint]:
        return re.findall(r"^\| ([A-Z]+) (/control/\S+) \|", self.text, re.MULTILINE)

    def rows(self, endpoint: Endpoint) -> list[Row]:
        """What the endpoint may answer; for one that does not exist, what all of them may."""
        common = self._rows_of("Errors that every endpoint has")
        shared = self._rows_of("Applications") if endpoint in OPERATING else []
        own = self.by_endpoint[endpoint].rows if endpoint in self.by_endpoint else []
        if endpoint in WRAPPING:
            return own + [row.wrapped() for row in shared + common] + common
        return own + shared + common

    def row(self, endpoint: Endpoint, status: int, body: str) -> Row | None:
        """The line that an answer is in; one that says more comes before one that says `<reason>`."""
        fitting = [row for row in self.rows(endpoint) if row.fits(status, body)]
        return min(fitting, key=lambda row: row.is_bare, default=None)

    # ---- reading

    def _rows_of(self, title: str) -> list[Row]:
        return next(section.rows for section in self.sections if section.title == title)

    def _outside_of_code(self) -> str:
        return re.sub(r"^```.*?^```$", "", self.text, flags=re.MULTILINE | re.DOTALL)

    @staticmethod
    def _section(text: str) -> _Section:
        section = _Section(text.split("\n", 1)[0].lstrip("#").strip())
        is_answers = False
        for line in text.splitlines():
            if not line.startswith("|"):
                is_answers = False
            elif line == "| status | body | when |":
                is_answers = True
            elif is_answers and not line.startswith("| ---"):
                statuses, body, when = (cell.strip() for cell in line.strip("|").split(" |", 2))
                section.rows.append(Row(frozenset(map(int, statuses.split(", "))), body.strip("`"), when))
        return section

    def _examples(self) -> list[Example]:
        examples = []
        for match in _EXAMPLE.finditer(self.text):
            title = re.findall(r"^#+ (.*)$", self.text[: match.start()], re.MULTILINE)[-1]
            head, _, body = match[2].partition("\n\n")
            body = body.rstrip("\n")
            if body.startswith("{\n"):
                body = json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False)
            examples.append(Example(title, match[1], head.strip().splitlines(), body))
        return examples
