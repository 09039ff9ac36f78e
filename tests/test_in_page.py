"""The page that colorizes a photograph: as Python does, in Chromium, opened as a file."""

import asyncio
import base64
import io
import json
import shutil
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from browser import CHROMIUM, Tab, browse, press
from PIL import Image, ImageOps
from torch.nn import functional as F

from colorlib import colorize, data, files, lab
from colorlib.networks import Colorizer
from colorlib.tool import zoo
from replication.book import in_page

ROOT = Path(__file__).parents[1]
in_chromium = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")

PAGE = """<!doctype html><html lang="en" data-theme="light"><title>Colorize</title>
<meta name="viewport" content="width=device-width"><main><h1>Colorize</h1>{}</main></html>"""
ANSWERS = [zoo.card(name).changes for name in in_page.ANSWERS]
# What the page says, and the photographs that it gives to the worker.
RECORD = """
const messages = [], given = [];
const post = Worker.prototype.postMessage;
Worker.prototype.postMessage = function (data, ...more) {
  if (data.file) given.push(data.file.name);
  post.call(this, data, ...more);
};
new MutationObserver(() => messages.push(document.querySelector("output").textContent))
  .observe(document.querySelector("output"), { childList: true });
"""
# What is said of a photograph where a browser lacks something, and what is left in memory.
LACKING = """(async () => {
  const { OffscreenCanvas, createImageBitmap } = window;
  let bitmap;
  window.OffscreenCanvas = undefined;
  window.createImageBitmap = async (file) => bitmap = await createImageBitmap(file);
  const file = new File([decoded(COLORIZE.examples[0].jpeg)], "a.jpg");
  const said = await pipeline(null, COLORIZE.size, () => {})(file).catch(e => e.message);
  Object.assign(window, { OffscreenCanvas, createImageBitmap });
  return [said, bitmap.width];
})()"""
# Whether the browser would leave the page for what is dropped beside the box.
LEAVES = """["dragover", "drop"].map(kind => document.querySelector("h1").dispatchEvent(
  new DragEvent(kind, { bubbles: true, cancelable: true })))"""
# A reader who loads the network and goes elsewhere.
LEAVE = """{
  const heading = document.querySelector("h1");
  heading.tabIndex = -1;
  document.querySelector(".load").click();
  heading.focus();
}"""
# Base64 of what the link saves.
SAVED = """fetch(document.querySelector(".save").href).then(reply => reply.blob())
  .then(blob => new Promise(resolve => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.split(",")[1]);
    reader.readAsDataURL(blob);
  }))"""
NAME = """document.querySelector(".save").download"""
SHOWN = """document.querySelector(".cl-compare").checkVisibility()"""
AXE = """axe.run(document, {runOnly: ["wcag2a", "wcag2aa"]}).then(found =>
  found.violations.map(v => v.id + ": " + v.help))"""


# What a build writes -----------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A book of one page: the tool of book/colorize.md, without its text."""
    root = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "book" / "_static", root / "_static")
    in_page.write(root / "_static")
    text = (ROOT / "book" / "colorize.md").read_text()
    tool = text[text.index("<link") : text.rindex("</script>")] + "</script>"
    (root / "book").mkdir()
    (root / "book" / "colorize.html").write_text(PAGE.format(tool))
    return root


def test_the_parts_are_the_weights(site):
    folder = site / "_static" / "colorize"
    facts = json.loads((folder / "about.js").read_text().split(" = ")[1].rstrip(";\n"))
    scripts = [(folder / f"{n}.js").read_text() for n in range(1, facts["parts"] + 1)]
    parts = [base64.b64decode(script.split('"')[1], validate=True) for script in scripts]
    weights = zoo.find("unet").read_bytes()
    assert b"".join(parts) == weights and len(parts) > 4
    assert facts["bytes"] == len(weights) and facts["download"] == sum(map(len, scripts))
    assert facts["size"] == zoo.load("unet").size
    assert list(facts["answers"].values()) == ANSWERS
    for example in facts["examples"]:
        image = Image.open(io.BytesIO(base64.b64decode(example["jpeg"])))
        assert max(image.size) == 640 and np.ptp(np.asarray(image), axis=2).max() <= 2


@pytest.mark.parametrize(
    ("kind", "page", "error", "written"),
    [
        ("html", in_page.PAGE, None, True),
        ("html", "book/01-lab", None, False),
        ("latex", in_page.PAGE, None, False),
        ("html", in_page.PAGE, ValueError(), False),
    ],
)
def test_a_build_writes_them_beside_their_page_only(tmp_path, kind, page, error, written):
    listeners = {}
    app = SimpleNamespace(
        connect=listeners.__setitem__, outdir=tmp_path,
        builder=SimpleNamespace(format=kind), env=SimpleNamespace(found_docs={page}),
    )
    in_page.setup(app)
    listeners["build-finished"](app, error)
    assert (tmp_path / "_static" / "colorize" / "about.js").exists() == written


# The network -------------------------------------------------------------------


def given(model: Colorizer, path: Path, size: int) -> torch.Tensor:
    """L of a photograph as the network works on it: padded to its stride, (1, 1, H, W)."""
    with Image.open(path) as image:
        gray = files.upright(image).convert("L")
    scale = size / min(gray.size)
    gray = gray.resize([round(side * scale) for side in gray.size], Image.Resampling.BICUBIC)
    value = torch.from_numpy(np.asarray(gray).copy()) / 255
    L = lab.normalize(lab.rgb_to_lab(value.expand(3, -1, -1)))[0][None]
    stride, (H, W) = model.encoder.strides[-1], L.shape[2:]
    return F.pad(L, (0, -W % stride, 0, -H % stride), mode="replicate")


@in_chromium
def test_the_network_predicts_what_it_predicts_in_python(site):
    """For ten photographs within half a unit of Lab; the other answer for one of them."""
    pretrained = [zoo.load(name) for name in in_page.ANSWERS]
    size = pretrained[0].size
    paths = [photo.path for photo in data.photos("samples", "test")]
    tries = [(path, 0) for path in paths] + [(paths[0], 1)]
    inputs = [given(pretrained[0].model, path, size) for path, _ in tries]

    async def visit(tab: Tab) -> list[np.ndarray]:
        await tab.open((site / "book" / "colorize.html").as_uri(), 1400, "light")
        await tab.evaluate("""loadWeights(() => {}).then(weights => {
            window.predict = network(weights, COLORIZE.colours); })""")
        found = []
        for L, (_, answer) in zip(inputs, tries, strict=True):
            numbers = base64.b64encode(L.numpy().tobytes()).decode()
            answered = await tab.evaluate(f"""(() => {{
                const data = new Float32Array(decoded("{numbers}").buffer);
                const [height, width] = {list(L.shape[2:])};
                const map = predict({{ height, width, channels: 1, data }},
                  {json.dumps(ANSWERS[answer])});
                const bytes = new Uint8Array(map.data.buffer);
                return btoa(bytes.reduce((text, b) => text + String.fromCharCode(b), ""));
            }})()""")
            found.append(np.frombuffer(base64.b64decode(answered), np.float32))
        return found

    for L, (path, answer), ab in zip(inputs, tries, browse(visit), strict=True):
        with torch.inference_mode():
            expected = pretrained[answer].model(L)[0].permute(1, 2, 0) * lab.AB_SCALE
        off = np.abs(ab.reshape(expected.shape) - expected.numpy()).max()
        assert off < 0.5, f"{path.name} {in_page.ANSWERS[answer]}: {off}"


# The whole way -----------------------------------------------------------------


@pytest.fixture(scope="module")
def photographs(tmp_path_factory) -> dict[str, Path]:
    """Files of several kinds."""
    folder = tmp_path_factory.mktemp("photographs")
    paths = {photo.name: photo.path for photo in data.photos("samples", "test")}
    tulips = files.upright(files.read(paths["flowers8.png"]))
    tower = files.upright(files.read(paths["eiffel-1.png"]))
    tower.info.clear()  # a profile, by which a browser converts and the library does not
    found = {name: folder / name for name in ("turned.jpg", "clear.png", "large.jpg", "text.jpg")}
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    tulips.save(found["turned.jpg"], quality=95, exif=exif)
    tower.resize((6000, 4000)).save(found["large.jpg"])
    small = tower.resize((320, 213))
    small.paste(0, (0, 0, 160, 100))  # a canvas forgets the colours of what is transparent
    small.putalpha(small.convert("L").point(lambda v: 255 if v else 0))
    small.save(found["clear.png"])
    found["text.jpg"].write_text("no photograph")
    return found


async def choose(tab: Tab, path: Path) -> None:
    await tab.evaluate(
        "document.querySelector('[type=file]').dispatchEvent(new Event('click')); 0")
    answer = await tab.send("Runtime.evaluate", expression="document.querySelector('[type=file]')")
    await tab.send(
        "DOM.setFileInputFiles", files=[str(path)], objectId=answer["result"]["objectId"]
    )


async def drop(tab: Tab, path: Path | None) -> None:
    """Drop a file, or a text."""
    add = 'add("text", "text/plain")'
    if path:
        content = base64.b64encode(path.read_bytes()).decode()
        add = f'add(new File([decoded("{content}")], "{path.name}"))'
    await tab.evaluate(f"""{{
        const dataTransfer = new DataTransfer();
        dataTransfer.items.{add};
        document.querySelector(".choose").dispatchEvent(
          new DragEvent("drop", {{ dataTransfer, bubbles: true, cancelable: true }}));
    }}""")


async def said(tab: Tab, *words: str) -> str:
    """Wait until the page says one of these."""
    for _ in range(600):
        message = await tab.evaluate("document.querySelector('output').textContent")
        if any(word in message for word in words):
            return message
        await asyncio.sleep(0.2)
    raise AssertionError(f"not {words} but {message!r}")


async def result(tab: Tab) -> SimpleNamespace:
    """What comes of a photograph."""
    message = await said(tab, "is colorized", "cannot")
    name, content = await tab.evaluate(NAME), base64.b64decode(await tab.evaluate(SAVED))
    return SimpleNamespace(message=message, name=name, image=Image.open(io.BytesIO(content)))


@pytest.fixture(scope="module")
def visited(site, photographs) -> dict:
    """What a reader meets who does everything, mostly by the keyboard."""
    axe = resources.files("axe_core_python").joinpath("axe.min.js").read_text()
    page = (site / "book" / "colorize.html").as_uri()

    async def visit(tab: Tab) -> dict:
        await tab.open(page, 400, "light")
        await tab.evaluate(axe + ";0")
        found: dict = {"violations": await tab.evaluate(AXE)}
        found["lacking"] = await tab.evaluate(LACKING)
        found["leaves"] = await tab.evaluate(LEAVES)
        await drop(tab, photographs["clear.png"])
        found["too early"] = await said(tab, "Load")
        await tab.evaluate(LEAVE)
        await said(tab, "is here")
        found["moved on"] = await tab.evaluate("document.activeElement.tagName")
        await tab.open(page, 400, "light")
        await tab.evaluate(axe + ";0")
        await tab.evaluate(RECORD)
        found["button"] = await tab.evaluate("document.querySelector('.load').textContent")
        found["before loading"] = [url for url in tab.requests() if "colorize/1.js" in url]
        await press(tab, ".load", "Enter")
        await said(tab, "is here")
        found["focus"] = await tab.evaluate("document.activeElement.type")
        found["violations"] += await tab.evaluate(AXE)
        await drop(tab, None)
        found["no file"] = await said(tab, "That")
        for _ in range(2):
            await choose(tab, photographs["text.jpg"])
            await said(tab, "Reading", "cannot")
            found["problem"] = await said(tab, "cannot")
        found["shown after a problem"] = await tab.evaluate(SHOWN)
        await choose(tab, photographs["turned.jpg"])
        found["turned"] = await result(tab)
        found["shown"] = await tab.evaluate(SHOWN)
        found["violations"] += await tab.evaluate(AXE)
        await press(tab, "[type=range]", "ArrowRight")
        found["slider"] = await tab.evaluate(
            "document.querySelector('figure:last-of-type img').style.clipPath")
        await press(tab, "[name=answer]", "ArrowDown")  # from here on, vivid
        await said(tab, "Reading", "Predicting")
        found["vivid"] = await result(tab)
        await tab.evaluate("document.querySelector('.examples button').click()")
        await said(tab, "Predicting")
        await tab.evaluate("document.querySelector('.examples button:last-child').click()")
        await drop(tab, photographs["clear.png"])
        await said(tab, "Reading", "Predicting")
        found["clear"] = await result(tab)
        await choose(tab, photographs["large.jpg"])
        await said(tab, "Reading", "Predicting")
        found["large"] = await result(tab)
        await press(tab, ".examples button", "Enter")
        await said(tab, "Reading", "Predicting")
        found["example"] = await result(tab)
        found["sideways"] = await tab.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth")
        found["given"] = await tab.evaluate("given")
        found["messages"] = await tab.evaluate("messages")
        found["requests"], found["errors"] = tab.requests(), tab.errors()
        await tab.send("Emulation.setScriptExecutionDisabled", value=True)
        await tab.send("Page.navigate", url=page)
        await asyncio.sleep(1)
        found["without script"] = await tab.evaluate("document.body.innerText")
        return found

    return browse(visit)


def apart(one: Image.Image, other: Image.Image) -> tuple[float, float]:
    """The mean differences of L and of ab, in Lab units."""
    difference = (_lab(one) - _lab(other)).abs()
    return difference[0].mean().item(), difference[1:].mean().item()


def _lab(image: Image.Image) -> torch.Tensor:
    rgb = torch.from_numpy(np.array(image.convert("RGB")))
    return lab.rgb_to_lab(rgb.permute(2, 0, 1).float() / 255)


@in_chromium
@pytest.mark.parametrize(("key", "weights"), [("turned", "unet"), ("vivid", "vivid")])
def test_a_photograph_comes_back_upright_with_its_lightness_in_the_librarys_colours(
    visited, photographs, key, weights
):
    path, found = photographs["turned.jpg"], visited[key]
    original = ImageOps.exif_transpose(Image.open(path))
    assert found.name == "turned-colorized.jpg" and found.image.format == "JPEG"
    assert found.image.size == original.size == (426, 640)
    assert "426 x 640" in found.message
    expected = colorize(path, weights)
    L, _ = apart(found.image, original)
    _, ab = apart(found.image, expected)
    assert L < 1 and ab < 1  # what JPEG changes, not more
    chroma = _lab(expected)[1:].norm(dim=0).mean().item()
    assert chroma > 5 * ab  # gray, or the other answer, would be further


@in_chromium
def test_transparency_is_kept(visited, photographs):
    found = visited["clear"]
    original = Image.open(photographs["clear.png"])
    assert found.name == "clear-colorized.png" and found.image.format == "PNG"
    assert np.array_equal(found.image.getchannel("A"), original.getchannel("A"))
    opaque = np.asarray(original.getchannel("A")) == 255
    assert 0.1 < 1 - opaque.mean() < 0.5
    expected = colorize(photographs["clear.png"], "vivid")
    off = (_lab(found.image) - _lab(expected)).abs().numpy()[:, opaque].mean(axis=1)
    assert off.max() < 1


@in_chromium
def test_a_large_photograph_comes_back_in_its_own_size(visited, photographs):
    found = visited["large"]
    assert found.image.size == (6000, 4000)
    small, original = found.image.reduce(8), Image.open(photographs["large.jpg"]).reduce(8)
    L, _ = apart(small, original)
    assert L < 1
    assert _lab(small)[2, :200].mean() < -10  # the sky is blue


@in_chromium
def test_the_page_says_what_it_does(visited):
    assert visited["button"] == "Load the network (19 MB)" and not visited["before loading"]
    assert visited["focus"] == "file"
    messages = visited["messages"]
    assert "Loading the network: 100 % ..." in messages
    assert len([m for m in messages if m.startswith("Loading")]) > 4
    assert "Predicting colours, mirrored ..." in messages
    assert visited["shown"] and "51%" in visited["slider"]
    assert visited["example"].name == "eiffel-1-colorized.jpg"
    assert visited["example"].image.size == (640, 426)


@in_chromium
def test_of_hurried_choices_only_the_last_is_colorized_and_shown(visited):
    """Of two examples and a file, while the first is in the worker."""
    assert visited["given"] == [
        "text.jpg", "text.jpg", "turned.jpg", "turned.jpg",
        "eiffel-1.jpg", "clear.png", "large.jpg", "eiffel-1.jpg",
    ]
    messages = visited["messages"]
    finished = [message.split()[0] for message in messages if "is colorized" in message]
    assert finished == ["turned.jpg", "turned.jpg", "clear.png", "large.jpg", "eiffel-1.jpg"]
    waiting = [i for i, message in enumerate(messages) if message.startswith("Finishing")]
    assert waiting and messages[waiting[-1] + 1] == "Reading the photograph ..."
    assert waiting[-1] - waiting[0] == len(waiting) - 1  # nothing is said in between


@in_chromium
def test_a_drop_says_what_is_wrong_and_keeps_the_page(visited):
    assert visited["leaves"] == [False, False]
    assert visited["too early"] == "Load the network first."
    assert visited["no file"] == "That is no file: choose a photograph."


@in_chromium
def test_a_reader_who_moved_on_stays_there(visited):
    assert visited["moved on"] == "H1"


@in_chromium
def test_an_error_of_the_browser_names_the_photograph_and_frees_it(visited):
    message, width = visited["lacking"]
    assert message.startswith("a.jpg cannot be colorized in this browser (")
    assert "OffscreenCanvas" in message and width == 0  # of a closed bitmap


@in_chromium
def test_what_is_no_photograph_is_named_and_nothing_breaks(visited):
    assert visited["problem"].startswith("text.jpg cannot be read as a photograph")
    assert visited["messages"].count(visited["problem"]) == 2  # the same file twice
    assert visited["shown after a problem"] is False
    assert visited["errors"] == []


@in_chromium
def test_it_is_accessible_fits_a_phone_and_asks_nobody(visited):
    assert visited["violations"] == []
    assert visited["sideways"] <= 0
    assert all(url.startswith(("file:", "blob:", "data:")) for url in visited["requests"])


@in_chromium
def test_without_javascript_the_page_says_what_to_do(visited):
    assert "pip install" in visited["without script"]
    assert "Load the network" not in visited["without script"]
