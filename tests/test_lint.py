"""What `make lint` says, so that a test run says it too; and that imports run one way."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("command", [("ruff", "check", "."), ("mypy",)], ids=lambda c: c[0])
def test_style_and_types(command):
    program = Path(sys.executable).with_name(command[0])
    if not program.is_file():
        pytest.skip(f"{command[0]} is not installed")
    told = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr


def test_imports_run_one_way():
    """In the order that CONTRIBUTING.md names."""
    text = " ".join((ROOT / "CONTRIBUTING.md").read_text().split())
    order = re.findall(r"`(\w+)`", text[text.index("Imports run one way") :].split(" A test")[0])
    files = {path.stem: path for path in (ROOT / "colorlib").glob("*.py")} 
    assert set(order) == set(files) - {"__init__"}
    for name in order:
        for node in ast.walk(ast.parse(files[name].read_text())):
            if not isinstance(node, ast.ImportFrom) or node.module is None:
                continue
            if node.module.split(".")[0] != "colorlib":
                continue
            module = node.module.removeprefix("colorlib").lstrip(".")
            for used in [module] if module else [a.name for a in node.names if a.name in order]:
                assert order.index(used) < order.index(name), f"{name} imports {used}"
