"""Runs the notebooks as Colab does: from the wheel, beside no checkout, torch already there.

    python tests/colab.py [--python python3.13] [--only 00 05] [--torch "torch torchvision"]

Makes a fresh environment of the given Python, installs what a Colab machine
has (torch, torchvision, ipykernel), then the wheel of the last commit, and
executes each notebook in an empty folder, with an empty cache. Prints the time
of each, and exits with 1 if a cell failed.

Not a test of every day: it downloads gigabytes.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--only", nargs="*", default=[""], help="beginnings of notebooks' names")
    parser.add_argument("--torch", default="torch torchvision", help="what is there before")
    arguments = parser.parse_args()
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    failed = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run = lambda *command, **more: subprocess.run(command, check=True, **more)  # noqa: E731
        run("git", "clone", "--quiet", ROOT, folder / "source")
        run(uv, "build", "--quiet", "--wheel", "--out-dir", folder, folder / "source")
        (wheel,) = folder.glob("*.whl")
        python = folder / "env" / "bin" / "python"
        run(uv, "venv", "--quiet", "--python", arguments.python, folder / "env")
        install = (uv, "pip", "install", "--quiet", "--python", python)
        run(*install, *arguments.torch.split(), "ipykernel", "nbclient")
        run(*install, wheel)
        run(python, "-c", "import sys, torch; print('Python', sys.version.split()[0],"
            " 'torch', torch.__version__)")
        empty = {k: v for k, v in os.environ.items() if not k.startswith("COLORLIB")}
        empty |= {"COLORLIB_CACHE": str(folder / "cache"), "TQDM_DISABLE": "1",
                  "PATH": f"{python.parent}:{os.environ['PATH']}"}
        for notebook in sorted((folder / "source" / "book").glob("*.ipynb")):
            if not notebook.name.startswith(tuple(arguments.only)):
                continue
            place = folder / notebook.stem
            place.mkdir()
            shutil.copy(notebook, place)
            start = time.monotonic()
            done = subprocess.run(
                [python, "-c", EXECUTE, notebook.name],
                cwd=place, env=empty, capture_output=True, text=True,
            )
            seconds = f"{time.monotonic() - start:.0f} s"
            result = done.stderr[-2000:] if done.returncode else seconds
            print(notebook.name, result, flush=True)
            failed += [notebook.name] if done.returncode else []
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
