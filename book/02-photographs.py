# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 2 Photographs
#
# A network learns from some photographs and is judged by others. This
# chapter says which ones, keeps them apart, and asks how good a prediction
# is that needs no network at all.
#
# *After this chapter you can* name the data sets of the paper and what
# stands in for them here; split photographs into training, validation and
# test, so that a result means something; say how broad a data set is, and
# whether its test photographs have copies among those to train on; pack
# tens of thousands of photographs so that training never waits for them.
#
# *To run it*: [open it on
# Colab](https://colab.research.google.com/github/colorlib/attention-colorization/blob/main/book/02-photographs.ipynb),
# where its first cell installs the library; or `pip install
# git+https://github.com/colorlib/attention-colorization` with Python 3.11
# or newer. It takes a quarter of a minute on two CPU cores.

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
import json
import tempfile
from pathlib import Path

import torch
from PIL import Image

import replication
from colorlib import data, lab, metrics
from colorlib.data import breadth
from replication.book import figures

# %% [markdown]
# ## What the paper says
#
# > In order to train the network, we have considered a few dataset [...]
# > The FloydHub Public dataset consists of 9500 images taken by
# > professional photographers with a validation set of 500 images. [...]
# > For the purpose of this project, we are going to use the images in the
# > "Open Country" category [...] We randomly sample 60000 images of the
# > ImageNet dataset and 500 for the testing set. (section 3.6)
#
# :::{table} The paper's data sets, and ours.
# :name: tbl-data
#
# | the paper | training / testing | here |
# | --- | --- | --- |
# | MIT CVCL, open country | 361 / 50 | `open-country`: the class has 410 photographs, not 411; one published split, 360 / 50 |
# | ImageNet subset | 60,000 / 500 | `imagenet64`: 60,000 / 2,000 of 200 ImageNet classes, at 64 x 64; the paper's list was never published |
# | FloydHub Unsplash | 9,500 / 500 | the set is gone; any folder of photographs takes its place |
# | | | `places` and `landscapes`: 6,000 / 1,000 each, broad and narrow, from one source |
# | | | `samples`: 48 photographs that install with the book, so that every page can train for real without a download |
# :::
#
# The paper gives no list of files for any of its three sets (the split of
# open country that we use was published by others). A result on unknown
# photographs cannot be repeated, so every split in this library is a
# published list or a rule that anyone can run.

# %% [markdown]
# ## The photographs that come with the book
#
# `samples` are colour photographs from Peter Corke's Machine Vision
# Toolbox data (MIT licence): a university campus in the sun, flower beds,
# a few sights, tomatoes. We left out what is gray, drawn, taken from the
# air, the second of a stereo pair, or known as somebody's test image.

# %%
train, val, test = (
    data.pack(data.photos("samples", split), 96)
    for split in data.SPLITS
)
print(len(train), "for training,", len(val), "for validation,",
      len(test), "for testing")

# %% mystnb={"figure": {"caption": "The photographs that networks are trained on.", "name": "fig-train-photos"}, "image": {"alt": "Contact sheet of 32 small colour photographs: brick and sandstone campus buildings, tulips and other flowers, a road, rocks, a brick wall, tomato plants."}}
figures.sheet(train.lab())

# %% mystnb={"figure": {"caption": "The photographs that are never trained on: first the six for validation, which choose when to stop, then the ten for testing, on which results are reported.", "name": "fig-validation-test-photos"}, "image": {"alt": "Contact sheet of 16 small colour photographs: campus buildings and palms, tulips, a white church, the Eiffel Tower twice, a path through a park."}}
figures.sheet(torch.cat((val.lab(), test.lab())))

# %% [markdown]
# ## Training, validation, test
#
# A network learns from the *training* photographs. The loss on the
# [*validation*](notation.md#words) photographs decides which epoch's
# weights are kept ([*early stopping*](notation.md#words)) and which
# settings are chosen. The *test* photographs are used once, to report. The
# split is by whole photographs. If crops of one photograph were in both,
# the network could memorise its colours, and the test would not show it
# (*data leakage*). The five campus photographs in the test list are those
# that the toolbox's author put into a folder named `holdout`. They are easy
# ones, though: the same campus, the same afternoon.

# %% mystnb={"figure": {"caption": "The five campus photographs of the test list (top) over training photographs taken a moment before or after (bottom). No photograph appears twice, but places do: results on this small set say how well a network colorizes photographs of the same places, which the paper calls training and testing on similar images. [Chapter 7](07-replication.ipynb) tests on other kinds of photographs too.", "name": "fig-neighbours"}, "image": {"alt": "Five pairs of small photographs, one above the other: brick building, brick and sandstone building, tree on a lawn, palms, palms with a concrete building. Each pair shows the same place from another angle."}}
def stems(photographs):
    return [Path(name).stem for name in photographs.names]


campus = ("492", "502", "508", "511", "513")
neighbours = ("491", "505", "509", "512", "515")
tested = [stems(test).index(f"P1070{n}") for n in campus]
trained = [stems(train).index(f"P1070{n}") for n in neighbours]
figures.sheet(
    torch.cat((test.lab(tested), train.lab(trained))), columns=5
)

# %% [markdown]
# For a folder of your own, or a collection without a published split, the
# rule is: order the files by the SHA-256 of their bytes; the first tenth is
# for testing, the next for validation, the rest for training. A hash is as
# good as a random number, and everybody gets the same one. Renaming or
# copying the folder changes nothing:

# %%
with tempfile.TemporaryDirectory() as folder:
    for i in range(20):
        shade = Image.new("RGB", (32, 32), (12 * i, 128, 200 - 9 * i))
        shade.save(Path(folder) / f"holiday-{i}.png")
    for split in data.SPLITS:
        print(f"{split:5}", len(data.photos(folder, split)), "photos")

# %% [markdown]
# A folder that has split folders keeps them: `train`, `Validation`,
# `test2017` and other usual names.

# %% [markdown]
# ## A catalogue
#
# The library knows some data sets by name: `colorlib/data/catalogue.toml`
# has the source, licence, checksum and split of each. The photographs are
# not ours to pass on. `colorlib data` prints the table and what is here,
# `colorlib download NAME` fetches a set from its publisher and verifies it.

# %% tags=["hide-input"]
figures.table(
    ("name", "what it is", "native size", "train", "val", "test"),
    (
        (f"`{entry.name}`", entry.about, entry.pixels,
         *(f"{count:,}" for count in entry.photographs().values()))
        for entry in data.data_sets().values()
    ),
    "The data sets that are known by name. Besides them: folders, and "
    "lists of files.",
    "tbl-catalogue", words=3,
)

# %% [markdown]
# Of *open country*, this page measures only thumbnails, `open-country-64`.
# At 256 pixels there are a few hundred photographs a class. The larger sets
# have smaller photographs: Tiny ImageNet's have 64 pixels, those of
# MiniPlaces 128, *squeezed* to a square by their publishers, so that in a
# photograph of 4:3 everything is a quarter narrower.
#
# `imagenet64` is split by the MD5 of the published names: the first 60,000
# of the training part for training; of the validation part, 500 for
# validation and 2,000 for testing.

# %%
entry = data.data_sets()["imagenet64"]
names = [f"n01443537_{i}.JPEG" for i in range(500)]
first = entry.by_md5["train"].order(names)[:3]
for name in first:
    print(entry.by_md5["train"].name_in_archive(name))

# %% [markdown]
# ## How broad is a data set?
#
# The paper trains on one narrow class, *open country*, and on ImageNet,
# which shows anything, and finds the narrow one easier (section 3.6). To
# compare narrow with broad fairly, nothing else should differ: `landscapes`
# and `places` have the same source, size and number, and share no
# photograph. What follows is read from recorded numbers
# (`benchmarks/photographs.py`, in `results/photographs`).

# %% tags=["hide-input"]
recorded = replication.RESULTS / "photographs"
measured = {
    name: json.loads((recorded / f"{name}.json").read_text())
    for name in ("open-country-64", "coast", "landscapes", "places",
                 "imagenet64", "everyday")
}

# %% mystnb={"figure": {"caption": "The mean colours of 400 test photographs of each of four data sets, every point in its own colour, all at one lightness. All four are clouds around gray that reach furthest towards blue, green and orange; those of landscapes are not closer together than those of places.", "name": "fig-mean-colours"}, "image": {"alt": "Four scatter plots of mean b against mean a, for landscapes, places, imagenet64 and everyday. Each is a dense gray cloud at the centre with arms towards blue below, green at the upper left and orange at the upper right. Imagenet64 reaches furthest, everyday has the fewest blue points."}}
figures.mean_colours({
    name: measured[name]["mean_colours"]
    for name in ("landscapes", "places", "imagenet64", "everyday")
})

# %% tags=["hide-input"]
figures.table(
    ("", "test photos", "inception score", "spread of embeddings",
     "spread of mean colours", "mean chroma", "near-gray"),
    (
        (f"`{name}`", f"{found['photographs']:,}",
         f"{said['inception_score']:.1f}", f"{said['spread']:.1f}",
         f"{found['colour_spread']:.1f}", f"{found['chroma']:.1f}",
         f"{100 * found['near_gray'] / found['photographs']:.1f} %")
        for name, found, said in (
            (name, about["splits"]["test"], about["classes"])
            for name, about in measured.items()
        )
    ),
    "How broad test photographs are. The *inception score* on at most "
    "400 photographs, by the ImageNet classifier of "
    "[chapter 4](04-fusion.ipynb), which is shown gray (1: all the "
    "same to it). Spreads: root mean squared distance from the centre, "
    "of its answers and of mean colours, these in Lab units like "
    "chroma. Near-gray: mean chroma below 3.",
    "tbl-breadth",
)

# %% [markdown]
# In content the order is as expected: the inception score is two to three
# for *open country* and *coast* (on 50 photographs only, which lowers it),
# seven for `landscapes`, fifteen for `places`, over twenty for `imagenet64`
# and `everyday`. In colour there is no such order. The mean colours of
# *coast* are spread the widest, those of `places` the least. So narrow
# content does not mean few colours. What may make it easier is that the
# same things have the same colours in it. [Chapter 7](07-replication.ipynb)
# asks the networks.
#
# ## Near-duplicates
#
# A copy of a test photograph among the training photographs, resized or
# compressed anew, has another SHA-256; the network could remember it all
# the same. A *perceptual hash* finds it. The *difference hash* asks at 8 x 8
# places of the gray photograph whether it gets lighter from left to right:
# 64 bits, which resizing and compression hardly change.

# %%
small = data.pack(data.photos("samples", "test"), 32)
one, other = (breadth.difference_hash(p) for p in (test, small))
apart = (one[:, None] != other[None]).sum(-1)  # of 64 bits
same = torch.eye(len(test), dtype=torch.bool)
for name, bits in (("copies of a third of the size", apart[same]),
                   ("other photographs", apart[~same])):
    print(f"{name}: {bits.min()} to {bits.max()} bits differ")

# %% [markdown]
# Two different photographs of sky over a plain can have similar hashes. So
# the hash proposes pairs (at most 10 bits differ), whose gray thumbnails of
# 16 x 16 must then correlate by 0.98.

# %%
for name, found in measured.items():
    splits = found["splits"]
    print(f"{name:16}", ", ".join(
        f"{splits[split]['near_duplicates']} of "
        f"{splits[split]['photographs']:,} {split}"
        for split in ("val", "test")
    ))
print("samples          ", len(breadth.near_duplicates(test, train)),
      "of", len(test), "test")

# %% [markdown]
# Three pairs in all, in `landscapes`: the same eruption, the same trees in
# the snow, the same brook. We looked at each. They stay where they are,
# since the lists are published; two photographs hardly change a result on a
# thousand.
#
# ## Preprocessing: once, not every epoch
#
# > We have to first preprocess the image before feeding it to the network
# > and reshape each image to the size of 224x224x3 and a grayscale version
# > of 256x256x1 (section 3.6)
#
# *Reshape* could mean squeezing a 3:2 photograph into a square. We keep
# proportions: the shorter side is resized, the middle is cut out.
#
# The version with three channels is for the ImageNet classifier of [chapter
# 4](04-fusion.ipynb), which shows why it must be gray nevertheless.
#
# Decoding and resizing a photograph in every epoch would keep a GPU
# waiting. `data.pack` does both once and writes one *memory-mapped* file:
# only the rows of the current batch are read, so 60,000 photographs take no
# more memory than 300.

# %%
pixels = train.pixels
print(type(pixels).__name__, tuple(pixels.shape), pixels.dtype)
batch = train.rgb([0, 5])
print("a batch:", tuple(batch.shape), batch.dtype)
L, ab = lab.normalize(train.lab([0, 5]))
print("input:  ", tuple(L.shape), L.dtype)
print("target: ", tuple(ab.shape), ab.dtype)

# %% [markdown]
# The file's name is a hash of the photographs' contents, their order and
# the size, so an old file is never used for a changed photograph.
#
# ## How much colour is there?
#
# Chroma, $\sqrt{a^2 + b^2}$, is the distance from gray. Photographs that
# have none teach a network to predict gray; `Packed.colourful` leaves them
# out.

# %% mystnb={"figure": {"caption": "Mean chroma of each training photograph, in Lab units. A network that always predicts gray is wrong by this much.", "name": "fig-chroma"}, "image": {"alt": "Bar chart with one horizontal bar for each of 32 training photographs, sorted; the roof is near 3, most campus photographs near 10, flowers and tomatoes between 20 and 40."}}
chroma = dict(zip(train.names, train.chroma(), strict=True))
chroma = {
    Path(name).stem: chroma[name]
    for name in sorted(chroma, key=chroma.get, reverse=True)
}
figures.bars(chroma, "mean chroma (Lab units)")

# %%
for least in (0, 5, 10):
    print(f"chroma of at least {least:2}:",
          len(train.colourful(least)), "photographs")

# %% [markdown]
# ## Trivial baselines
#
# Before any network is trained, we ask what it must beat. Two predictions,
# the *trivial baselines*, need no network: **gray**, $a = b = 0$
# everywhere, and **mean colour**, the average a and b of the training
# photographs everywhere. The error is the paper's (section 4.2), the mean
# squared error of $ab/128$; its root, times 128, is the typical error of a
# or b in Lab units.

# %%
baselines = metrics.trivial_baselines(train, test)
for name, mse in baselines.items():
    units = metrics.rmse_in_lab(mse)
    print(f"{name:12} {mse:.3g}  {units:.3g} Lab units")
a, b = metrics.mean_colour(train) * lab.AB_SCALE
print(f"mean colour: a = {a:.1f}, b = {b:.1f}")

# %% mystnb={"figure": {"caption": "Four test photographs as the trivial baselines predict them. The mean colour of these training photographs is a dull olive.", "name": "fig-trivial-baselines"}, "image": {"alt": "Four photographs in three columns: gray, tinted evenly olive, and in true colour."}}
some = test.lab()[[1, 2, 5, 8]]
mean = metrics.mean_colour(train).view(1, 2, 1, 1)
mean = mean.expand(len(some), 2, *some.shape[2:])
figures.grid({
    "gray": figures.gray(some),
    "mean colour": figures.recolour(some, mean),
    "photograph": some,
})

# %% [markdown]
# On the training photographs, no constant has a lower squared error than
# the mean colour, and the mean of many colours is dull. The paper reports
# results of "very low saturation or [...] biased towards brown color"
# (section 5). [Chapter 6](06-why-brown.ipynb) asks how far the squared
# error explains that.

# %% [markdown]
# ## What to remember
#
# - The paper's photographs cannot be named; ours can, down to the byte.
# - Split by whole photographs; choose on the validation list, report on the
#   test list, and say how similar both are to the training photographs.
# - Measure how broad a data set is. Narrow in content is not narrow in
#   colour.
# - Look for copies of test photographs among those to train on; a hash of
#   bytes does not find them all.
# - Pack once, read without decoding.
# - Gray and mean colour are what every network has to beat.

# %% [markdown]
# ## Three questions
#
# **1.** Why are there two lists besides the training photographs,
# validation and test?
#
# :::{dropdown} Answer
# Epochs and settings are chosen on the validation photographs, so the
# validation loss is biased low. Nothing is chosen on the test photographs.
# :::
#
# **2.** Two files differ in every byte. Can one of them still be a copy of
# the other, and how would you find it?
#
# :::{dropdown} Answer
# Yes: resized, or compressed again. A perceptual hash proposes pairs whose
# gray thumbnails get lighter at the same places; the thumbnails themselves
# decide.
# :::
#
# **3.** A network reaches the loss of *mean colour* on test photographs, to
# three figures. What has it learned?
#
# :::{dropdown} Answer
# By this number, nothing that one constant colour would not give. That is
# why the trivial baselines stand beside every loss in this book.
# :::

# %% [markdown]
# ## Exercises
#
# **1.** Which training photograph is closest to the mean colour, and
# which is farthest from it?
#
# :::{dropdown} Solution
# ```python
# ab = lab.normalize(train.lab())[1]
# error = (ab - metrics.mean_colour(train).view(1, 2, 1, 1)).pow(2)
# order = error.mean(dim=(1, 2, 3)).argsort()
# print(train.names[order[0]], train.names[order[-1]])
# ```
#
# Closest is one of low chroma, farthest a flower bed of high chroma:
# squared errors grow with the square of chroma.
# :::
#
# **2.** Why is `mean colour` computed from the *training* photographs,
# although it is compared on the test photographs?
#
# :::{dropdown} Solution
# A prediction may use nothing of the photographs it is judged on. The
# test photographs' own mean would be a better constant, and a leak.
# :::
#
# **3.** Point `data.photos` at a folder of your own and look at it with
# `figures.sheet`. How many photographs does
# `data.pack(...).colourful(5)` leave out?
#
# :::{dropdown} Solution
# ```python
# mine = data.pack(data.photos("/path/to/photos", "train"), 96)
# print(len(mine), len(mine.colourful(5)))
# figures.sheet(mine.lab())
# ```
# :::
