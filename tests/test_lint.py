"""What `make lint` says, so that a test run says it too; and that imports run one way."""

import ast
import re
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("command", [("ruff", "check", "."), ("mypy",)], ids=lambda c: c[0])
def test_style_and_types(command):
    program = Path(sys.executable).with_name(command[0])
    if not program.is_file():
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


PACKAGES = ("colorlib", "replication")


def order() -> dict[str, tuple[int, int]]:
    """Module -> room and place in it, as CONTRIBUTING.md lists them; without "colorlib."."""
    text = (ROOT / "CONTRIBUTING.md").read_text().split("Imports run one way")[1]
    block = re.findall(r"^    (\w.*(?:\n {8}.*)*)$", text.split("\n- ")[0], re.MULTILINE)
    places: dict[str, tuple[int, int]] = {}
    for line in block:
        room, _, inside = line.rpartition(":")
        if room:
            places[room] = (len(places), -1)
            names = [f"{room}.{name}" for name in inside.split()]
            places |= {name: (places[room][0], i) for i, name in enumerate(names)}
        else:
            for name in inside.split():
                places[name] = (len(places), 0)
    return places


def imported(path: Path, places: Collection[str]) -> set[str]:
    """The modules of ours that a file imports anywhere, as `order` names them."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "", alias.name) for alias in node.names]
        else:
            continue
        for module, name in names:
            if module.split(".")[0] in PACKAGES:
                module = module.removeprefix("colorlib").lstrip(".")
                inner = f"{module}.{name}".strip(".")
                found.add(inner if inner in places else module)
    return found - {""}


def test_imports_run_one_way():
    """In the order that CONTRIBUTING.md names."""
    places = order()
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removeprefix("colorlib."): path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if not path.stem.startswith("_")
    }
    rooms = {name.rpartition(".")[0] for name in files if "." in name}
    assert set(places) == set(files) | rooms
    for name, path in files.items():
        for used in imported(path, places):
            assert places[used] < places[name], f"{name} imports {used}"
            if used in rooms:
                assert places[used][0] < places[name][0], f"{name} imports its own room {used}"


def test_the_library_page_lists_every_module_in_that_order():
    page = (ROOT / "book" / "api.md").read_text()
    found = re.findall(r"automodule:: (?:colorlib\.)?([\w.]+)", page)
    rooms = {name.rpartition(".")[0] for name in order()}
    assert found == [name for name in order() if name not in rooms and "cli" not in name[:4]]
