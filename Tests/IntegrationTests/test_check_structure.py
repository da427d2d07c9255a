"""scripts/check-structure refuses what the floor plan does not allow, and names it."""

import json
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "check-structure"
CORE = "Sources/supervisor/Core"

ACTOR = """
/* actor Supervisor { var commented: Int } */
public actor Supervisor {
    // var commented: Int
    nonisolated let parts: [String: Int]
    private(set) var (one, two) = (1, 2)
    static let standard = "{"
    var observed: Int = 0 { didSet { changed() } }
    var seen: [Int] {
        didSet { changed() }
    }
    var made = { 1 }()
    var pair: (task: Task<Void, Never>, done: [(Int, Int) -> Void])?
    var computed: Int { one + two }
    var long: Int {
        get { one }
    }
%s
    init() { let local = 1; var other = local }
    func changed() { let inner = 1 }
}
"""
# parts, one, two, observed, seen, made and pair.
OWN = 7

PACKAGE = {
    "targets": [
        {"name": "LinuxSupport", "type": "regular", "path": "Sources/Support/LinuxSupport", "dependencies": []},
        {
            "name": "SupervisorCore",
            "type": "regular",
            "path": CORE,
            "dependencies": [{"byName": ["LinuxSupport", None]}, {"product": ["Logging", "swift-log", None, None]}],
        },
        {"name": "TestSupport", "type": "regular", "path": "Tests/Support", "dependencies": []},
    ]
}
TABLE = "<!-- imports -->\n| module | imports |\n| --- | --- |\n%s\n<!-- /imports -->\n"
ROWS = "| LinuxSupport | - |\n| SupervisorCore | LinuxSupport |"

LOOP = """
func take(_ descriptor: Int32) {
    while true {
        if isReady {
            let count = %s
        }
    }
}
"""


class Tree:
    """A small tree that is as it should be."""

    def __init__(self, root: Path):
        self.root = root
        self.actor(30 - OWN)
        self.write(f'{CORE}/Locks/Supervisor+Locks.swift', "import LinuxSupport\nextension Supervisor {}\n")
        self.write(f'{CORE}/Locks/HeldLock.swift', '/// Of the Supervisor.\nlet text = "Supervisor"; let e: SupervisorError\n')
        self.write("Sources/Support/LinuxSupport/Descriptor.swift", LOOP % "Glibc.read(descriptor, &buffer, 1)")
        self.write("docs/architecture.md", TABLE % ROWS)
        self.write("package.json", json.dumps(PACKAGE))

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def actor(self, more: int) -> None:
        self.write(f'{CORE}/Supervisor.swift', ACTOR % "\n".join(f'    var p{number} = {number}' for number in range(more)))

    def check(self) -> list[str]:
        done = subprocess.run(
            [SCRIPT, "--package", self.root / "package.json", self.root], capture_output=True, text=True, timeout=60
        )
        lines = done.stderr.splitlines()
        assert done.returncode == (1 if lines else 0), done
        return [line.removeprefix("check-structure: ") for line in lines]


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def test_the_floor_plan_passes(tree):
    assert tree.check() == []


def test_one_stored_property_more_is_refused(tree):
    tree.actor(31 - OWN)
    (line,) = tree.check()
    assert line.startswith(f'{CORE}/Supervisor.swift: the actor has 31 stored properties, 30 are allowed')
    assert "p23" in line


def test_a_room_that_mentions_the_actor_is_refused(tree):
    tree.write(f'{CORE}/Locks/HeldLock.swift', "\nfunc take(_ supervisor: Supervisor) {}\n")
    assert tree.check() == [f'{CORE}/Locks/HeldLock.swift:2: mentions the actor; in a room only Supervisor+*.swift may']


@pytest.mark.parametrize("folder, most", [("", 12), ("/Locks", 16)])
def test_a_folder_with_too_many_files_is_refused(tree, folder, most):
    there = len(list((tree.root / (CORE + folder)).glob("*.swift")))
    for number in range(most - there):
        tree.write(f'{CORE}{folder}/File{number}.swift', "")
    assert tree.check() == []
    tree.write(f'{CORE}{folder}/Another.swift', "")
    assert tree.check() == [f'{CORE}{folder}: {most + 1} Swift files, {most} are allowed']


def test_a_long_file_is_refused(tree):
    tree.write(f'{CORE}/Locks/HeldLock.swift', "\n" * 400)
    assert tree.check() == []
    tree.write(f'{CORE}/Locks/HeldLock.swift', "\n" * 401)
    assert tree.check() == [f'{CORE}/Locks/HeldLock.swift: 401 lines, 400 are allowed']


@pytest.mark.parametrize(
    "rows, text",
    [
        ("| LinuxSupport | - |", "lacks the module SupervisorCore"),
        (ROWS + "\n| JSON | - |", "has JSON, which Package.swift does not"),
        (ROWS.replace("| LinuxSupport |", "| - |", 1), "lacks the module LinuxSupport"),
        ("| LinuxSupport | - |\n| SupervisorCore | - |", "SupervisorCore depends in Package.swift also on LinuxSupport"),
        (ROWS.replace("- |", "SupervisorCore |"), "and not on SupervisorCore"),
    ],
)
def test_a_table_that_differs_from_the_package_is_refused(tree, rows, text):
    tree.write("docs/architecture.md", TABLE % rows)
    assert any(text in line and line.startswith("docs/architecture.md: ") for line in tree.check())


def test_a_page_without_the_table_is_refused(tree):
    tree.write("docs/architecture.md", "nothing\n")
    assert len(tree.check()) == 1


@pytest.mark.parametrize("line", ["import %s", "public import %s", "@testable import %s", "import struct %s.Supervisor"])
def test_an_import_that_is_not_listed_is_refused(tree, line):
    tree.write("Sources/Support/LinuxSupport/File.swift", "import Glibc\n" + line % "SupervisorCore" + "\n")
    (problem,) = tree.check()
    assert "LinuxSupport/File.swift: imports SupervisorCore" in problem


@pytest.mark.parametrize(
    "call",
    [
        "read(descriptor, &buffer, buffer.count)",
        "Glibc.read(descriptor, &buffer, 1)",
        "rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }",
        "pwrite(descriptor, bytes, bytes.count, 0)",
    ],
)
def test_a_loop_over_a_system_call_is_refused(tree, call):
    tree.write(f'{CORE}/Locks/HeldLock.swift', LOOP % call)
    (problem,) = tree.check()
    assert problem.startswith(f'{CORE}/Locks/HeldLock.swift:5: a loop over ')


@pytest.mark.parametrize(
    "text",
    [
        LOOP % "read(file, limit: 1, of: x)",
        LOOP % "handle.write(a, b, c)",
        LOOP % "1 // read(descriptor, &buffer, 1)",
        "func once() { _ = read(descriptor, &buffer, 1) }",
        "func all(for x: Int) { for y in z { one(y) } }\nfunc one() { _ = read(descriptor, &buffer, 1) }",
        "while true { func one() { _ = read(descriptor, &buffer, 1) } }",
    ],
)
def test_what_is_no_loop_over_a_system_call_passes(tree, text):
    tree.write(f'{CORE}/Locks/HeldLock.swift', text)
    assert tree.check() == []
