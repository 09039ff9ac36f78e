"""Which version of the library made a result."""

import os
import subprocess
from pathlib import Path

_HERE = Path(__file__).parents[1]


def commit() -> str | None:
    """The library's git commit, with a + if it has changed since; None outside its checkout.

    A copy without its history, on a machine that computes, is told it by COLORLIB_COMMIT.
    """

    def git(*command: str) -> str:
        return subprocess.run(
            ["git", "-C", str(_HERE), *command], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "__init__.py")  # else another's repository
        changed = git("status", "--porcelain", "--", ".")
        return git("rev-parse", "--short=7", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("COLORLIB_COMMIT")
