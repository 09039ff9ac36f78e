# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 9 Your own photographs
#
# This chapter is for your own photographs: how to colorize them, what to
# expect, and how to train a network on photographs like yours.
#
# *After this chapter you can* colorize a photograph of any size and format;
# say what is kept of it and what is invented; choose the working size and
# the strength of colours; say what makes it fail; and train on a folder of
# yours, judge the result and give it to others.
#
# *To run it*: [open it on
# Colab](https://colab.research.google.com/github/colorlib/attention-colorization/blob/main/book/09-your-photographs.ipynb),
# where its first cell installs the library; or `pip install
# git+https://github.com/colorlib/attention-colorization` with Python 3.11
# or newer. It takes less than a minute on two CPU cores.

# %% tags=["remove-cell"]
# On Colab, install the library; anywhere else it is already there.
import importlib.util
import os
import subprocess
import sys

# Threads that wait leave the processor to others.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if importlib.util.find_spec("colorlib") is None:
    source = "https://github.com/colorlib/attention-colorization"
    subprocess.check_call(
        [sys.executable, "-m", "pip", "install", "-q",
         f"colorlib @ git+{source}"]
    )

# %% tags=["hide-input"]
import io
import re

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch.nn import functional as F

import replication
from colorlib import data, files, lab, metrics, networks
from colorlib.tool import zoo
from colorlib.tool.pipeline import Pipeline, predict, upsample
from replication.book import figures

# %% [markdown]
# ## What the paper says
#
# > Further, such a Seq2Seq helps us to train the dataset over image of any
# > sizes and aspect ratio (abstract)
#
# *What we had to guess:* how. Convolutions do run on any size. But in a
# large photograph the receptive field of a network trained on small ones
# covers only a piece of sky or of skin, and attention over a large map
# costs too many multiplications (exercise 5 of [chapter
# 5](05-attention.ipynb) works it out for a camera's 12 megapixels). So the
# library does what most colorization programs do. The network is given the
# photograph at a small [*working size*](notation.md#words). The a and b
# that it predicts are enlarged. L is the photograph's own, at its own size.
# With a working size of 128, 4000 x 3000 pixels become 171 x 128.

# %% [markdown]
# ## A photograph
#
# Put the path of a photograph of yours here, in colour or gray; on Colab,
# upload one with the folder symbol at the left. Without one, this page
# takes a photograph that the network was not trained on.

# %%
PHOTO = None  # or "holiday.jpg"
path = PHOTO or next(
    photo.path for photo in data.photos("samples", "test")
    if photo.name == "eiffel-2.png"
)
image = files.read(path)
pipeline = Pipeline()  # the library's own weights, made ready once
predicted = pipeline(image)
print(image.size, image.mode, "->", predicted.size, predicted.mode)

# %% mystnb={"figure": {"caption": "A test photograph in gray, colorized, and as it was. The middle square is shown.", "name": "fig-yours"}, "image": {"alt": "Three pictures of the Eiffel Tower under clouds: in gray; colorized, with a blue sky, a green lawn and dark grayish trees; and the photograph itself, with greener trees."}}
def square(picture, side=512):
    """The middle of an image as a Lab photograph (1, 3, side, side)."""
    width, height = picture.size
    half = min(width, height) // 2
    box = (width // 2 - half, height // 2 - half,
           width // 2 + half, height // 2 + half)
    rgb = files.upright(picture).crop(box).resize((side, side))
    return figures.batch([rgb])


truth = square(image)
figures.grid({"gray": figures.gray(truth),
              "predicted": square(predicted), "photograph": truth})

# %% [markdown]
# The network was given 128 pixels, and predicted colours for every second
# one of them. Where it could not tell sky from iron, colours bleed. Only
# the colours are invented. L changes a little by rounding to 8 bits, and
# where a colour does not exist at that lightness and is clipped:

# %%
before, after = (
    figures.batch([files.upright(picture)])[0, 0]
    for picture in (image, predicted)
)
change = (before - after).abs()
print(f"L changes by {change.median():.2f} in the median; by more "
      f"than 1 in {(change > 1).float().mean():.1%} of the pixels")

# %% [markdown]
# ## Enlarging colours
#
# An edge in the middle of one of the network's pixels is blurred over that
# pixel's whole width. But L has the edge. `upsample` is [*joint
# bilateral upsampling*](notation.md#words): every pixel takes the mean of
# the colours around it, mostly of those that have nearly its own lightness.
# On two areas of one colour each, reduced to 64 pixels and enlarged again:

# %%
L = torch.zeros(1, 1, 256, 256)
L[..., 131:] = 0.8  # an edge within one of the 64 pixels
ab = torch.cat((L, -L), dim=1) / 2
small = F.interpolate(ab, 64, mode="area")
for name, large in (
    ("bilinear", F.interpolate(small, 256, mode="bilinear")),
    ("bicubic", F.interpolate(small, 256, mode="bicubic")),
    ("joint bilateral", upsample(small, L)),
):
    off = ((large - ab).abs() > 0.04).float().mean()
    print(f"{name:15} {off:6.2%} of the pixels are off")

# %% [markdown]
# That is the case it is made for. What the network predicts wrong, no
# upsampling corrects: over whole photographs, the error of what it predicts
# falls by about one per cent. And colours that were known in fine detail,
# `upsample` would blur: photographs' own colours, reduced and enlarged
# again, come out much worse than by plain interpolation
# (`benchmarks/README.md` has both tables).

# %% [markdown]
# ## Which working size?
#
# The weights were trained on photographs of 128 pixels. That is also the
# tool's working size, the shorter side of what the network is given. Is it
# a good one? Here is the loss at 256 pixels for several working sizes: on
# the six validation photographs, by which one may choose, and on the ten
# test photographs, to report.

# %%
true, ab, by_size = {}, {}, {}
model = zoo.load().model
for split in ("val", "test"):
    true[split] = data.pack(data.photos("samples", split), 256).lab()
    L, ab[split] = lab.normalize(true[split])
    by_size[split] = {
        size: predict(model, L, size)
        for size in (32, 64, 96, 128, 160, 192, 256)
    }
loss = {
    split: {size: F.mse_loss(ours, ab[split]).item()
            for size, ours in by_size[split].items()}
    for split in ab
}
print("size  validation    test")
for size in loss["val"]:
    print(f"{size:4} {loss['val'][size]:11.4f}"
          f" {loss['test'][size]:7.4f}")
print("validation, best at", min(loss["val"], key=loss["val"].get))
true, ab, by_size = true["test"], ab["test"], by_size["test"]

# %% mystnb={"figure": {"caption": "Two test photographs at three working sizes.", "name": "fig-working-size"}, "image": {"alt": "Two photographs in rows, columns for working sizes of 64, 128 and 256 and the photograph. At 64 a lawn is gray; at 128 it is green; at 256 it is blue, and a path in a park has patches of green."}}
rows = [2, 9]
columns = {f"{s} pixels": figures.recolour(true, by_size[s])[rows]
           for s in (64, 128, 256)}
figures.grid(columns | {"photograph": true[rows]})

# %% [markdown]
# The validation photographs say 128, the size of training. (The ten test
# photographs are a little better at 96, but they choose nothing.) Given
# fewer pixels, the network cannot tell what is small. Given more, it meets
# leaves and grass larger than any it was trained on, and takes a lawn for
# something blue. `working_size=96` in Python, or `--working-size 96`, is
# there to try.
#
# ## How strong?
#
# Where many colours are possible, the default weights answer with the mean
# of their distribution over colours, which is duller than they are on
# average ([chapter 6](06-why-brown.ipynb)). `strength` multiplies what they
# predict; strength 0 is gray. *Chroma* is the mean distance from gray over
# all pixels of all photographs, relative to the photographs' own. (In
# [chapter 6](06-why-brown.ipynb) and [chapter 7](07-replication.ipynb) the
# ratio is taken photograph by photograph.)

# %%
print("strength   loss  chroma")
for strength in (0, 0.5, 1, 1.5, 2):
    ours = strength * by_size[128]
    chroma = ours.norm(dim=1).mean() / ab.norm(dim=1).mean()
    print(f"{strength:8} {F.mse_loss(ours, ab):.4f}  {chroma:6.2f}")

# %% mystnb={"figure": {"caption": "One test photograph, its colours multiplied.", "name": "fig-strength"}, "image": {"alt": "Four versions of one photograph of the Eiffel Tower: gray; as predicted, with a blue sky and a green lawn; one and a half times and twice as strong, with a sky and a lawn of poster colours."}}
figures.grid({
    f"strength {s}": figures.recolour(true, s * by_size[128])[[6]]
    for s in (0, 1, 1.5, 2)
})

# %% [markdown]
# Half as strong has about the same error. One and a half times as strong
# has a much larger one, though some will like it better.
#
# There is another way to more colour. At every position the network answers
# with a probability for each of 261 colours. `vivid` are the same weights,
# read in another way ([chapter 8](08-better-colours.ipynb)): rare colours
# count more (`adjustment`), and probable ones count more than improbable
# ones (a lower `temperature`). Both numbers were chosen on validation
# photographs, by a rule that `benchmarks/choose.py` states.

# %%
print(zoo.card("vivid").changes)
L = lab.normalize(true)[0]
ways = {"unet": by_size[128],
        "vivid": predict(zoo.load("vivid").model, L, 128)}
print("weights    loss  chroma")
for name, ours in ways.items():
    chroma = ours.norm(dim=1).mean() / ab.norm(dim=1).mean()
    print(f"{name:8} {F.mse_loss(ours, ab):.4f}  {chroma:6.2f}")

# %% mystnb={"figure": {"caption": "Two test photographs as colorized by the default weights and by `vivid`.", "name": "fig-vivid"}, "image": {"alt": "Two photographs in rows, a tree on a lawn and the Eiffel Tower; columns for unet, vivid and the photograph. With vivid, lawn and trees are greener and the sky is a deeper blue."}}
rows = [2, 5]
figures.grid({
    name: figures.recolour(true, ours)[rows]
    for name, ours in ways.items()
} | {"photograph": true[rows]})

# %% [markdown]
# ## Old photographs are not clean
#
# The gray photographs of this book are colour photographs without their
# colours. Yours may be made gray by somebody else's formula, badly
# compressed, noisy, or toned. Each of these is done here to the ten test
# photographs. The first column is the loss, against the colours of the
# clean photograph. The second says how far the prediction is from that for
# the clean photograph: 0 not at all, 1 as far as that one is from gray.

# %%
def jpeg(picture, quality):
    """An image after having been a JPEG file."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def noisy(picture, sigma):
    """An image with grain: normal noise, the same in R, G and B."""
    rgb = np.asarray(picture, float)
    grain = np.random.default_rng(0).normal(0, sigma, rgb.shape[:2])
    return Image.fromarray(
        (rgb + grain[..., None]).clip(0, 255).astype(np.uint8)
    )


def sepia(picture):
    """A gray image toned brown."""
    gray = np.asarray(picture.convert("L"), float)[..., None]
    toned = gray * np.array([1.07, 0.95, 0.74])
    return Image.fromarray(toned.clip(0, 255).astype(np.uint8))


def mean(picture):
    """R, G and B, each the mean of the three."""
    gray = np.asarray(picture, float).mean(axis=-1)
    return Image.fromarray(gray.round().astype(np.uint8))


damages = {
    "clean: its L": lambda p: p,
    "gray: 0.3 R, 0.6 G, 0.1 B": lambda p: p.convert("L"),
    "gray: the mean of R, G, B": mean,
    "gray: G alone": lambda p: p.getchannel("G"),
    "JPEG, quality 30": lambda p: jpeg(p, 30),
    "JPEG, quality 5": lambda p: jpeg(p, 5),
    "grain of 10 levels": lambda p: noisy(p, 10),
    "grain of 30 levels": lambda p: noisy(p, 30),
    "out of focus": lambda p: p.filter(ImageFilter.GaussianBlur(3)),
    "sepia": sepia,
}

# %%
pictures = figures.images(true)
colours = {}
for name, damage in damages.items():
    ours = figures.batch([pipeline(damage(p)) for p in pictures])
    colours[name] = lab.normalize(ours)[1]
clean = colours["clean: its L"]
print(f"{'':25} loss    change")
for name, ours in colours.items():
    change = (ours - clean).norm() / clean.norm()
    print(f"{name:25} {F.mse_loss(ours, ab):.4f}  {change:.2f}")

# %%
mild = ("gray: 0.3 R, 0.6 G, 0.1 B", "JPEG, quality 30", "sepia")
near = [(colours[n] - clean).norm() < 0.5 * clean.norm()
        for n in mild]
print("gray, JPEG and sepia change it less than half:", all(near))
worst = max(colours, key=lambda n: (colours[n] - clean).norm())
print("what changes it most:", worst)

# %% [markdown]
# The formula for gray and the toning hardly matter. Nor does a JPEG file,
# unless it is so crude that blocks show. What changes fine detail hurts:
# blur, blocks, strong grain. The network was trained on sharp photographs.
# All this was done to photographs of 256 pixels here. In a large scan, much
# of it is averaged away at the working size.

# %% [markdown]
# ## Where it fails
#
# All ten test photographs, from the best to the worst by their loss
# relative to that of gray. Above 1, gray would have been closer to the
# truth.

# %% mystnb={"figure": {"caption": "Every test photograph as predicted (odd rows) above the photograph itself (even rows), from the lowest error relative to gray to the highest.", "name": "fig-failures"}, "image": {"alt": "Ten colorized photographs, each above the true one, with relative errors below. The best are two views of the Eiffel Tower, a tree on a lawn, and a flower bed whose yellow flowers came out pale green; then a park path in bluish gray, two brick buildings in gray and brown, palms in green; the worst are a street lamp, which came out blue, and pink and red tulips in olive green."}}
ratios = (
    metrics.ab_mse(figures.recolour(true, by_size[128]), true)
    / metrics.ab_mse(figures.gray(true), true)
).tolist()
order = np.argsort(ratios)
pairs = []
for five in (order[:5], order[5:]):
    pairs += [figures.recolour(true, by_size[128])[five], true[five]]
names = [f"{ratios[i]:.2f}" for i in order]
blank = [""] * 5
figures.sheet(torch.cat(pairs), names[:5] + blank + names[5:] + blank,
              columns=5)

# %% [markdown]
# It does best on skies, lawns and leaves. Bricks become gray or brown.
# Flowers become like the leaves around them, since they may have any
# colour. Clothes, cars and signs stay dull for the same reason. A shaded
# path is taken for water. A colorized photograph is a guess at what might
# have been, not a document of what was.
#
# More than ten photographs: [48 test photographs](_static/contact-sheet.jpg)
# of landscapes, other places, and people and things, taken at equal
# distances from their test lists, as predicted (odd rows) and as they were
# (even rows). Seen there: blue skies and seas, red and brown rock, golden
# sand, green lawns and woods, skin, wood and stone in their colours. Dull or
# wrong: a sunset, autumn leaves, violet rock, green water in a surfer's
# wave, a red car, a red tennis court, most clothes; one dog has a green
# belly.

# %% [markdown]
# ## From the command line
#
# The same, for files and for folders with their subfolders:
#
# ```
# colorlib colorize photo.jpg --out photo-in-colour.png
# colorlib colorize album --out album-in-colour --weights vivid
# colorlib colorize album --out album-in-colour --dry-run
# colorlib weights
# ```
#
# :::{table} What the tool does with a photograph.
# :name: tbl-tool
#
# | | |
# | --- | --- |
# | reads | JPEG, PNG, TIFF, WebP, BMP, GIF, the first frame of several; gray, palette, colour, CMYK, 8 and 16 bits |
# | keeps | size, L, transparency, resolution, and of EXIF what was photographed by whom, with what, when and where; turns the photograph upright |
# | writes | 8 bits a channel, under the same name into the other folder; `.png` is appended where the format keeps no colours |
# | overwrites | nothing, unless `--overwrite`; never the photograph itself |
# | a damaged file | one sentence; the others go on; status 1 at the end |
# :::
#
# `--help` lists the rest. In Python, `colorlib.colorize(image)` colorizes
# one image and `Pipeline` many.

# %% [markdown]
# ## Train on your own photographs
#
# The weights colorize some kinds of photographs better than others. If you
# have colour photographs like those that you want to colorize, train on
# them. First see what they are:
#
# ```
# colorlib data album --sheet album.png
# ```
#
# It counts the photographs of each split. A folder without folders for
# training, validation and test is divided by a fixed rule, a tenth each for
# validation and test: of 60,000 photographs 48,000 are for training. It
# counts *near-gray* photographs, which teach a network to predict gray
# (`--min-chroma 3` leaves them out of training). And it counts test
# photographs with a near-duplicate in training: of several shots of one
# scene, keep all in the same split, or the test is too easy.
#
# **A few hundred photographs** are too few to begin with. Start from the
# trained weights, with a low learning rate:
#
# ```
# colorlib train --data album --out runs/album --init unet \
#     --size 128 --crop 128 --scale 0.6 --flip \
#     --optimizer adamw --learning-rate 0.0001 --encoder-rate 0.15 \
#     --epochs 20 --preview 1
# ```
#
# **Tens of thousands** can train the whole network; only its encoder begins
# as a classifier. These settings are near those with which the training of
# the library's own weights began (`colorlib weights unet` shows them all):
#
# ```
# colorlib train --data photos --out runs/photos --preset unet \
#     --set head=quantized --set rebalancing=0.1 \
#     --size 128 --crop 128 --scale 0.6 --flip \
#     --optimizer adamw --learning-rate 0.002 --encoder-rate 0.15 \
#     --batch-size 128 --cosine --average 0.999 --bf16 \
#     --epochs 20 --preview 1
# ```
#
# ### Memory
#
# A step keeps the outputs of most layers until it has computed the
# gradients. They take far more memory than the weights, and grow with the
# batch and with the pixels:

# %%
def kept(size, photographs=2):
    """Bytes that a step keeps of a photograph, in float32."""
    network = networks.build(
        "unet", head="quantized", pretrained=False)
    own = {p.untyped_storage().data_ptr() for p in network.parameters()}
    found = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        found[storage.data_ptr()] = storage.nbytes()
        return tensor

    L = torch.zeros(photographs, 1, size, size)
    ab = torch.zeros(photographs, 2, size, size)
    hooks = torch.autograd.graph.saved_tensors_hooks(note, lambda t: t)
    with hooks:
        loss = network(L, ab)  # it holds what is kept
    del loss
    total = sum(n for at, n in found.items() if at not in own)
    return total / photographs


print("pixels  a photograph  a batch of 16  a batch of 128")
for size in (64, 128, 256):
    gigabytes = kept(size) / 1e9
    print(f"{size:6} {1000 * gigabytes:10.0f} MB"
          f" {16 * gigabytes:11.2f} GB {128 * gigabytes:12.1f} GB")
weights = sum(p.numel() for p in model.parameters())
print(f"weights, gradients, AdamW: {16 * weights / 1e9:.2f} GB")

# %% [markdown]
# `--bf16` takes about half of that, on a processor or GPU that computes in
# bfloat16. If memory does not suffice, the library says so in a sentence.
# Take a smaller batch then, and a lower learning rate. For plain SGD the
# rule of thumb is to change both in proportion (Goyal et al. 2017,
# [arXiv:1706.02677](https://arxiv.org/abs/1706.02677)). For Adam and AdamW
# many take the square root: a quarter of the batch, half the rate. Try two
# or three rates for an epoch, and choose by the validation loss.
#
# ### Hours
#
# The next table has two recorded speeds: of one processor core, and of an
# H100 in the first part of the library's own training. All others are
# estimates. A laptop is taken to have eight such cores, without bfloat16,
# which makes training about half as fast. A T4, which Colab lends, has 320
# GB/s to its memory by its data sheet, an H100 3350 GB/s. It does not
# compute fast in bfloat16 either, so leave `--bf16` out there. Four GPUs
# are less than four times as fast as one, by a calculation in
# `benchmarks/README.md` that nobody has measured.

# %% tags=["hide-input"]
run = replication.recorded(
    replication.RESULTS, "attention-128")["everyday"]["unet-heads"][0]
visits = run["photos"]["train"] * run["settings"]["epochs"]
core = visits / run["seconds"]  # with validation, and to the last test
start = zoo.load("unet").about["init"]
settings = start["settings"]
seconds = int(re.search(r"(\d+) seconds", start["how"])[1])
h100 = settings["visits"] / seconds * (settings["crop"] / 128) ** 2
bf16 = 1.9  # times faster on that processor: benchmarks/README.md
of_eight = 98.4 / 23.7 / 8  # of eight GPUs, each: the same file
speeds = {
    f"one core, {run['device'].split(',')[0]}: recorded": core,
    "laptop, eight cores: at best": 8 * core / bf16,
    "T4: estimate": h100 * 320 / 3350 / 2,  # float32: twice the bytes
    "H100: recorded at 96 pixels, scaled": h100,
    "four H100: estimate": 4 * h100 * of_eight,
}


def duration(seconds):
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds > 1.5 * length:
            return f"{seconds / length:.2g} {unit}"
    return f"{seconds:.2g} s"


figures.table(
    ("", "photographs a second", "300 photographs, 20 epochs",
     "60,000 photographs, 20 epochs"),
    [(name, f"{float(f'{speed:.2g}'):,.0f}",
      duration(300 * 20 / speed), duration(60_000 * 20 / speed))
     for name, speed in speeds.items()],
    "How long the U-Net trains at 128 x 128.",
    "tbl-hours",
)

# %% [markdown]
# ### While it runs
#
# `metrics.csv` in the run folder has a row an epoch. `val_loss` is the
# number to look at. (`train_loss` is the head's own loss: a quantized
# head's is a cross-entropy, on another scale.) Here is a recorded training
# of the paper's network with attention on 279 photographs of coasts:

# %% mystnb={"figure": {"caption": "A recorded training on 279 photographs (coast, 64 pixels, augmented). Both panels have one scale.", "name": "fig-overfitting"}, "image": {"alt": "Two curves over 30 epochs. The training loss falls all the time, to about a quarter of its first value. The validation loss begins at the line of mean colour, has its lowest point at epoch 10, at three quarters of it, and then rises nearly back to the line."}}
run = replication.recorded(
    replication.RESULTS, "minutes-augmented")["coast"]["attention"][0]
figures.loss_curves(
    run["history"], {"mean colour": run["mean_colour"]["val"]})

# %%
lowest = min(run["history"], key=lambda row: row["val_loss"])
last = run["history"][-1]
print(f"lowest: epoch {lowest['epoch']:.0f}, {lowest['val_loss']:.4f};"
      f" last: epoch {last['epoch']:.0f}, {last['val_loss']:.4f}")

# %% [markdown]
# The training loss falls to the end, the validation loss only to its lowest
# point. From there on the network [*overfits*](notation.md#words): it
# learns these photographs, and nothing about others. `best.safetensors`
# keeps the weights of the lowest point, which is called *early stopping*.
# Stop when that point is many epochs ago. If it comes early, more
# photographs help, then `--flip` and a smaller `--scale`, then a lower
# learning rate. If the validation loss stays above that of mean colour
# (`colorlib train` prints both at its end), the rate is too high, or the
# photographs are too few.
#
# `--preview 1` writes a sheet an epoch, `previews/epoch-0001.jpg` and so
# on: validation photographs in gray, as predicted, and in colour. Skies and
# lawns come first. A sheet shows what no number does, such as stains.
#
# Interrupt with Ctrl-C. The same command goes on where it was, also after a
# crash; without `--cosine`, with more `--epochs`, too.
#
# **Several GPUs.** `torchrun` starts a process for each:
#
# ```
# torchrun --no-python --nproc-per-node 4 \
#     colorlib train --data photos --out runs/photos --preset unet \
#     --set head=quantized --set rebalancing=0.1 \
#     --size 128 --crop 128 --scale 0.6 --flip \
#     --optimizer adamw --learning-rate 0.002 --encoder-rate 0.15 \
#     --batch-size 128 --cosine --average 0.999 --bf16 \
#     --epochs 20 --preview 1
# ```
#
# `--batch-size` counts the photographs of a step over all processes: of
# 128, each of four GPUs gets 32. Gradients are averaged, and so are the
# statistics of batch normalisation (on CPUs each process has its own). So
# the same command learns nearly the same as on one GPU. A larger batch
# keeps four GPUs busier; it wants a higher rate, which has to be tried. The
# first process writes the files.
#
# ### Judge it, and share it
#
# ```
# colorlib evaluate unet --data album --split val
# colorlib evaluate runs/album --data album --split val
# colorlib evaluate runs/album --data album
# colorlib weights runs/album
# colorlib colorize old.jpg --out new.png --weights runs/album
# ```
#
# Compare on validation photographs as often as you like, also with the
# weights that you began with: training may have made them worse. The third
# line judges by test photographs. Use it once, at the end. A number by
# which you choose is no test any more.
#
# `weights` shows what weights say of themselves: on what they were trained,
# with which settings, their validation loss and that of mean colour. To
# share them, send `runs/album/best.safetensors`, under any name: whoever
# gets it gives its path to `--weights`. Be plain about failures when you
# share: others will not know your photographs.

# %% [markdown]
# ## What to remember
#
# - The network is given a photograph at a small working size. L stays the
#   photograph's own, and colours are enlarged along its edges.
# - The working size is that of training, 128. With smaller and larger ones
#   the loss on the six validation photographs is higher.
# - `strength` makes colours stronger, `vivid` makes rare ones more probable.
#   Both raise the error.
# - Blur, crude compression and strong grain hurt most. Another formula for
#   gray, toning and ordinary compression hardly matter.
# - With a few hundred photographs, start from `unet` at a low learning rate.
#   With tens of thousands, train the whole network.
# - The validation loss chooses, and the test photographs judge once. Weights
#   are one file, which says how they were trained.

# %% [markdown]
# ## Three questions
#
# **1.** A colorized photograph of 4000 x 3000 pixels is sharp, though the
# network was given 171 x 128. Why?
#
# :::{dropdown} Answer
# Sharpness is in L, which is the photograph's own. Only a and b come from
# the network, and upsampling follows the edges of L.
# :::
#
# **2.** A training of 20 epochs has its lowest validation loss in the third.
# Which weights does the run folder keep as the best, and would 40 epochs
# help?
#
# :::{dropdown} Answer
# Those of epoch 3. More epochs would not help: the network overfits from
# there on. More photographs, augmentation or a lower learning rate may.
# :::
#
# **3.** You try five learning rates, evaluate each on the test photographs,
# and report the best. What is wrong with the number?
#
# :::{dropdown} Answer
# The test photographs have chosen, so the number is too good: part of it is
# chance. Choose on validation photographs, then test once.
# :::

# %% [markdown]
# ## Exercises
#
# **1.** Colorize a photograph of which you remember the colours. Where is
# the network right, and what was probably frequent in its training
# photographs?
#
# :::{dropdown} Solution
# Set `PHOTO` above and run from there. To see only the colours, set L to
# a constant:
#
# ```python
# flat = square(predicted)
# flat[:, 0] = 60
# figures.sheet(flat, columns=2)
# ```
# :::
#
# **2.** Does turning a photograph upside down change its colours?
#
# :::{dropdown} Solution
# ```python
# upside_down = predict(model, L.flip(2), 128).flip(2)
# print((upside_down - by_size[128]).norm() / by_size[128].norm())
# ```
#
# It does. Whether because skies are above (which the padding at the border,
# and what lies next to what, can tell a network without coordinates) or
# because its filters know only upright things, this number does not say.
# :::
#
# **3.** Colours of video are stored at half the size of L. Why does nobody
# mind?
#
# :::{dropdown} Solution
# Eyes resolve lightness more finely than colour, the reason for which L is
# kept here, too. Half the size is much, though, compared with 128 pixels.
# :::
