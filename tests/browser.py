"""Headless Chromium over the DevTools protocol: a page as a reader sees it, and what is wrong."""

import asyncio
import base64
import functools
import http.server
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tornado.websocket import websocket_connect

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

# Resolves when fonts, pictures and formulas are drawn.
READY = """
(async () => {
  for (let i = 0; i < 100 && window.MathJax && !window.MathJax.startup?.promise; i++)
    await new Promise(resolve => setTimeout(resolve, 50));
  if (window.MathJax?.startup) await window.MathJax.startup.promise;
  await document.fonts.ready;
  await Promise.all([...document.images].map(image => image.decode().catch(() => {})));
  await new Promise(resolve => setTimeout(resolve, 300));
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

    async def open(self, url: str, width: int, mode: str):
        """Load a page at a width, light or dark, until everything is drawn."""
        await self.resize(width, 800 if width < 600 else 900)
        await self.send(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": mode}],
        )
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
    }.items():
        found += [f"{text}: {item}" for item in report[key]]
    # From file://, Chromium refuses to preload the theme's icon fonts; the icons are SVG.
    errors = [e for e in tab.errors() if not ("file://" in e and "webfonts/fa-" in e)]
    found += [f"console: {error}" for error in errors]
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
