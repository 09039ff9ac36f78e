"""Photographs every page of the built book in headless Chromium, as a reader would see it.

    .venv/bin/python tests/screenshots.py FOLDER [--pages 01-lab ...] [--part 2000] [--http]

Each page is opened at two widths (a desktop's and a phone's), light and dark,
and written to FOLDER as PNG files of the whole height. For each it also says what
a picture does not show: whether the page scrolls sideways, what is cut off,
pictures and formulas that did not appear, errors in the console, and requests
that leave this machine. It exits with 1 when there was any of these.

Not a test: it needs Chromium, and the pictures need somebody to look at them.
"""

import argparse
import asyncio
import shutil
import sys
from pathlib import Path

from browser import MODES, REPORT, SITE, complaints, opened, serve

TALLEST = 8000  # Chromium draws nothing beyond 16384 pixels


async def photograph(arguments, base: str) -> int:
    site, folder = arguments.site, arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    pages = [p.relative_to(site).as_posix() for p in sorted(site.glob("book/*.html"))]
    pages.append("search.html?q=lab")
    if arguments.pages:
        pages = [p for p in pages if any(word in p for word in arguments.pages)]
    if len(pages) < 1:
        sys.exit(f"no pages in {site}; run `make book` first")
    wrong = 0
    async with opened(arguments.chromium) as tab:
        for page in pages:
            name = Path(page.split("?")[0]).stem
            for width in arguments.widths:
                for mode in arguments.modes:
                    await tab.open(base + page, width, mode)
                    if name == "search":
                        await asyncio.sleep(2)
                    report = await tab.evaluate(REPORT)
                    height, part = report["height"], min(arguments.part, TALLEST)
                    await tab.resize(width, height)  # the whole page, as on a very tall screen
                    await asyncio.sleep(0.5)
                    for number, top in enumerate(range(0, height, part)):
                        suffix = f"-{number + 1}" if height > part else ""
                        picture = await tab.picture(width, top, min(part, height - top))
                        folder.joinpath(f"{name}-{width}-{mode}{suffix}.png").write_bytes(picture)
                    found = complaints(report, tab, base, mode)
                    if name == "search" and not report["results"]:
                        found.append("the search finds nothing")
                    wrong += len(found)
                    print(
                        f"{page} {width} {mode}: {height} px high, {report['images']} pictures, "
                        f"{report['maths']} formulas, {len(tab.requests())} requests, "
                        f"{len(found) or 'no'} complaint{'' if len(found) == 1 else 's'}"
                    )
                    for line in found:
                        print(f"    {line}")
    return wrong


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the PNG files go")
    parser.add_argument("--site", type=Path, default=SITE, help="the built HTML")
    parser.add_argument("--pages", nargs="*", help="only pages whose path contains one of these")
    parser.add_argument("--widths", nargs="*", type=int, default=[1400, 400])
    parser.add_argument("--modes", nargs="*", choices=MODES, default=list(MODES))
    parser.add_argument("--part", type=int, default=TALLEST, help="cut into parts of this height")
    parser.add_argument("--http", action="store_true", help="serve the pages; default: file://")
    parser.add_argument("--chromium", default=shutil.which("chromium") or "chromium")
    arguments = parser.parse_args()
    site = arguments.site = arguments.site.resolve()
    base = serve(site) if arguments.http else f"{site.as_uri()}/"
    wrong = asyncio.run(photograph(arguments, base))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
