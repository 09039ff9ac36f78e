"""Headless Chromium over the DevTools protocol: a page as a reader sees it, and what is wrong."""

import asyncio
import base64
import functools
import http.server
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

from tornado.websocket import websocket_connect

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
SITE = Path(__file__).resolve().parents[1] / "_build" / "html"
MODES = ("light", "dark")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
    "--window-size=1400,900",
]

# Resolves when fonts, pictures and formulas are drawn, and the page is laid out with them.
READY = """
(async () => {
  for (let i = 0; i < 100 && window.MathJax && !window.MathJax.startup?.promise; i++)
    await new Promise(resolve => setTimeout(resolve, 50));
  if (window.MathJax?.startup) await window.MathJax.startup.promise;
  await document.fonts.ready;
  await Promise.all([...document.images].map(image => image.decode().catch(() => {})));
  for (let i = 0; i < 2; i++) await new Promise(resolve => requestAnimationFrame(resolve));
})()
"""

REPORT = """
(() => {
  const name = element => {
    const text = (element.textContent || element.alt || "").trim().replace(/\\s+/g, " ");
    return element.tagName.toLowerCase() + "." + element.className + " " +
      JSON.stringify(text.slice(0, 40));
  };
  const shown = element => element.checkVisibility() && element.clientWidth > 1;
  const article = document.querySelector("article") || document.body;
  const hides = element => ["hidden", "clip"].includes(getComputedStyle(element).overflowX);
  const maths = [...document.querySelectorAll("span.math, div.math")];
  const scrolls = element => {
    for (let e = element; e && e !== document.body; e = e.parentElement)
      if (["auto", "scroll"].includes(getComputedStyle(e).overflowX)) return true;
    return false;
  };
  const inline = [...document.querySelectorAll("span.math, span.math mjx-container")];
  const column = e => e.closest("p, li, td, th, dd, dt, figcaption, div").clientWidth;
  const wider = e => e.closest("span.math").querySelector("mjx-container")
    .getBoundingClientRect().width > column(e.closest("span.math"));
  const boxes = [...article.querySelectorAll("*")].filter(e => shown(e) &&
    e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === "auto");
  const lines = cell => {
    const range = document.createRange();
    range.selectNodeContents(cell);
    return new Set([...range.getClientRects()].map(r => Math.round(r.bottom / 8))).size;
  };
  const words = cell => cell.textContent.trim().split(/\\s+/).length;
  const root = document.documentElement;
  return {
    height: Math.ceil(Math.max(root.scrollHeight, document.body.scrollHeight)),
    theme: root.dataset.theme,
    sideways: Math.max(root.scrollWidth, document.body.scrollWidth) - root.clientWidth,
    overhanging: [...article.querySelectorAll("*")]
      .filter(e => shown(e) && !e.closest("mjx-assistive-mml") && !scrolls(e))
      .filter(e => e.getBoundingClientRect().right > root.clientWidth + 1)
      .map(name).slice(0, 5),
    cutOff: [...article.querySelectorAll("*")]
      .filter(e => shown(e) && !e.closest("mjx-container") && hides(e))
      .filter(e => e.scrollWidth > e.clientWidth + 1).map(name).slice(0, 5),
    broken: [...document.images].filter(e => !e.naturalWidth).map(e => e.src),
    filtered: [...article.querySelectorAll("img")]
      .filter(e => getComputedStyle(e).filter !== "none").map(name),
    unrendered: maths.filter(e => !e.querySelector("mjx-container")).map(name).slice(0, 5),
    mathErrors: [...document.querySelectorAll("mjx-merror, [data-mjx-error]")].map(name),
    boxed: inline.filter(e => getComputedStyle(e).overflow !== "visible" && !wider(e))
      .map(name).slice(0, 5),
    unreachable: boxes.filter(e => e.tabIndex !== 0 || !e.ariaLabel).map(name).slice(0, 5),
    hintless: boxes.filter(e => getComputedStyle(e).boxShadow === "none").map(name).slice(0, 5),
    wrapped: [...article.querySelectorAll("pre")].filter(e => shown(e) &&
      getComputedStyle(e).whiteSpace !== "pre").map(name).slice(0, 5),
    tiny: [...article.querySelectorAll("pre, td")].filter(e => shown(e) &&
      parseFloat(getComputedStyle(e).fontSize) < 12).map(name).slice(0, 5),
    squeezed: [...article.querySelectorAll("td")].filter(e => shown(e) &&
      words(e) > 3 && lines(e) > words(e)).map(name).slice(0, 5),
    iconless: [...document.querySelectorAll("i[class*='fa-']")].filter(e =>
      getComputedStyle(e, "::before").content === "none").map(e => e.className),
    maths: maths.length,
    images: article.querySelectorAll("img").length,
    results: document.querySelectorAll("ul.search > li").length,
  };
})()
"""


class Tab:
    """One page of the browser, spoken to over the DevTools protocol."""

    def __init__(self, connection):
        self.connection = connection
        self.last = 0
        self.replies: dict[int, asyncio.Future] = {}
        self.events: list[tuple[str, dict]] = []
        self.loaded = asyncio.Event()
        self.reader = asyncio.create_task(self._read())

    async def _read(self):
        while (text := await self.connection.read_message()) is not None:
            message = json.loads(text)
            if "id" in message:
                self.replies.pop(message["id"]).set_result(message)
            else:
                self.events.append((message["method"], message["params"]))
                if message["method"] == "Page.loadEventFired":
                    self.loaded.set()

    async def send(self, method: str, **params):
        self.last += 1
        reply = self.replies[self.last] = asyncio.get_running_loop().create_future()
        await self.connection.write_message(
            json.dumps({"id": self.last, "method": method, "params": params})
        )
        answer = await asyncio.wait_for(reply, timeout=90)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    async def evaluate(self, expression: str):
        answer = await self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"].get("description"))
        return answer["result"].get("value")

    async def paint(self, mode: str):
        """Light or dark, as the reader's system asks for; the page that is open follows."""
        await self.send(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": mode}],
        )

    async def until(self, condition: str, seconds: float = 10):
        """Wait for a condition of the page, an expression of JavaScript."""
        for _ in range(round(seconds / 0.05)):
            if await self.evaluate(condition):
                return
            await asyncio.sleep(0.05)
        raise TimeoutError(condition)

    async def open(self, url: str, width: int, mode: str):
        """Load a page at a width, light or dark, until everything is drawn."""
        await self.resize(width, 800 if width < 600 else 900)
        await self.paint(mode)
        for address in ("about:blank", url):
            self.events.clear()
            self.loaded.clear()
            await self.send("Page.navigate", url=address)
            await asyncio.wait_for(self.loaded.wait(), timeout=90)
        await self.evaluate(READY)

    async def resize(self, width: int, height: int):
        phone = width < 600
        await self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )

    async def picture(self, width: int, top: int, height: int) -> bytes:
        answer = await self.send(
            "Page.captureScreenshot",
            clip={"x": 0, "y": top, "width": width, "height": height, "scale": 1},
        )
        return base64.b64decode(answer["data"])

    def errors(self) -> list[str]:
        """What the console complains about."""
        found = []
        for method, event in self.events:
            if method == "Runtime.exceptionThrown":
                details = event["exceptionDetails"]
                found.append(details.get("exception", {}).get("description", details["text"]))
            elif method == "Runtime.consoleAPICalled" and event["type"] == "error":
                found.append(" ".join(str(arg.get("value", "")) for arg in event["args"]))
            elif method == "Log.entryAdded" and event["entry"]["level"] == "error":
                found.append(f"{event['entry']['text']} {event['entry'].get('url', '')}".strip())
        return found

    def requests(self) -> list[str]:
        return [
            event["request"]["url"]
            for method, event in self.events
            if method == "Network.requestWillBeSent"
        ]


async def new_tab(port: int) -> Tab:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/json/new", method="PUT")
    with urllib.request.urlopen(request) as reply:
        address = json.load(reply)["webSocketDebuggerUrl"]
    tab = Tab(await websocket_connect(address, max_message_size=2**28))
    for domain in ("Page", "Network", "Runtime", "Log"):
        await tab.send(f"{domain}.enable")
    return tab


def start_browser(program: str, profile: str) -> tuple[subprocess.Popen, int]:
    process = subprocess.Popen(
        [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    port_file = Path(profile, "DevToolsActivePort")
    for _ in range(300):
        if port_file.exists() and (lines := port_file.read_text().split()):
            return process, int(lines[0])
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"{program} did not start")


def serve(site: Path) -> str:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Quiet, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"


def complaints(report: dict, tab: Tab, base: str, mode: str) -> list[str]:
    """One line for each thing that is wrong with the page that is open."""
    found = []
    if report["theme"] != mode:
        found.append(f"the page is {report['theme']}, not {mode}")
    if report["sideways"] > 0:
        found.append(f"the page scrolls sideways by {report['sideways']} px")
    for key, text in {
        "overhanging": "reaches over the right edge",
        "cutOff": "is cut off",
        "broken": "picture that did not load",
        "filtered": "picture whose colours are changed",
        "unrendered": "formula that is not drawn",
        "mathErrors": "formula with an error",
        "boxed": "formula in a box that it does not need",
        "unreachable": "scrolls, but not by keyboard, or has no name",
        "hintless": "scrolls, and nothing shows it",
        "wrapped": "code whose lines are broken",
        "tiny": "letters smaller than 12 px",
        "squeezed": "cell with less than a word a line",
        "iconless": "icon that is not drawn",
    }.items():
        found += [f"{text}: {item}" for item in report[key]]
    found += [f"console: {error}" for error in tab.errors()]
    local = (base, "data:", "blob:", "about:")
    found += [f"leaves this machine: {u}" for u in tab.requests() if not u.startswith(local)]
    return found


@asynccontextmanager
async def opened(program: str) -> AsyncIterator[Tab]:
    """A browser with one empty tab, and an end to it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process, port = start_browser(program, profile)
        try:
            yield await new_tab(port)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(10)


def browse(visit: Callable[[Tab], Coroutine]):
    """What a coroutine function returns that is given a tab of a fresh browser."""

    async def all_of_it():
        async with opened(CHROMIUM) as tab:
            return await visit(tab)

    return asyncio.run(all_of_it())


KEYS = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39, "ArrowDown": 40}


async def press(tab: Tab, selector: str, key: str, times: int = 1) -> None:
    """Focus an element, and press and release a key."""
    await tab.evaluate(f"document.querySelector({selector!r}).focus()")
    for _ in range(times):
        for kind in ("keyDown", "keyUp"):
            await tab.send("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                           windowsVirtualKeyCode=KEYS[key],
                           **({"text": "\r"} if key == "Enter" and kind == "keyDown" else {}))


# Pictures of the article without a text alternative.
UNNAMED = """[...document.querySelectorAll("article img")]
  .filter(image => !image.hasAttribute("alt") || image.alt.length < 3)
  .map(image => image.src.slice(0, 80))"""


# Of WCAG 2 A and AA; formulas are MathJax's own, which brings a hidden copy for screen readers.
# Contrast takes nearly all of the time: of texts alike in tags, classes and styles, all the
# way up, the first is looked at.
AXE = """
(async () => {
  const path = element => element &&
    `${path(element.parentElement)}/${element.tagName}.${element.className}` +
    `${element.getAttribute("style")}`;
  const spoken = element => [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
  const first = new Map();
  for (const element of document.body.querySelectorAll(":not(mjx-container *)"))
    if (spoken(element) && element.checkVisibility() && !first.has(path(element)))
      first.set(path(element), element);
  const run = async (include, rules) => (await axe.run(
    {include, exclude: [["mjx-container"]]}, {...rules, resultTypes: ["violations"]})).violations;
  const found = [
    ...await run([document], {
      runOnly: ["wcag2a", "wcag2aa"], rules: {"color-contrast": {enabled: false}},
    }),
    ...await run([...first.values()], {runOnly: {type: "rule", values: ["color-contrast"]}}),
  ];
  return found.map(v => v.id + ": " + v.help + " " +
    v.nodes.slice(0, 4).map(n => n.html.slice(0, 160)).join(" | "));
})()
"""


async def barriers(tab: Tab) -> list[str]:
    """What an accessibility check of the open page finds."""
    await tab.evaluate(resources.files("axe_core_python").joinpath("axe.min.js").read_text() + ";0")
    return await tab.evaluate(AXE)
