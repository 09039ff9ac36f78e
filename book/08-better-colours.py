# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 8 Better colours
#
# The paper's networks make dull colours. This chapter takes what the field
# uses today, one part at a time, and measures what each part gains in error
# and in colour.
#
# *After this chapter you can* use a classifier's maps as the encoder of a
# network; let a network answer with a distribution over colours, and make
# one colour of it in several ways; say what an adversarial loss asks for;
# fine-tune a pretrained network on 32 photographs; add a loss of your own;
# and say where the eye and the error disagree.
#
# *To run it*: [open it on
# Colab](https://colab.research.google.com/github/colorlib/attention-colorization/blob/main/book/08-better-colours.ipynb),
# where its first cell installs the library; or `pip install
# git+https://github.com/colorlib/attention-colorization` with Python 3.11
# or newer. It takes a minute and a half on two CPU cores.

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
import inspect
from dataclasses import replace

import torch
from skimage.restoration import denoise_tv_chambolle
from torch.nn import functional as F

import replication
from colorlib import colours, data, lab, metrics, networks, training
from colorlib.tool import zoo
from colorlib.tool.pipeline import predict
from colorlib.training import Settings
from replication.book import diagrams, figures

# %% [markdown]
# ## What holds the paper's networks back
#
# The chapters so far have found three reasons for dull and wrong colours.
#
# - The global prior is one vector. The classifier's maps tell *where*
#   things are, but they were averaged before the network was given them
#   ([chapter 4](04-fusion.ipynb)).
# - The decoder is given the coarsest map only, in which one position is
#   eight pixels wide ([chapter 3](03-encoder-decoder.ipynb)).
# - A squared error asks for the mean of all possible colours, and such a
#   mean is dull ([chapter 6](06-why-brown.ipynb)).
#
# The paper's last paragraph names two ways on:
#
# > we can improve the results by using some probabilistic graphical model
# > based post-processing such as using conditional-random-fields and total
# > variance minimization models [...] Further, there can be a space to
# > improve in this field by looking into the works of generative
# > adversarial networks (section 6)
#
# This chapter tries total variation and an adversarial loss, and what
# others have done since (not conditional random fields). None of it is in
# the paper.
#
# On each data set, all networks have the same number of visits of
# photographs and the same test photographs. Of every run the epoch with the
# lowest squared error on validation photographs is kept, whatever the loss.
# Each network is compared with one from which it differs by one step, as
# written down in the experiment matrix before the runs. The scale is small,
# so that two CPU cores could record it: 64 pixels and three epochs, the
# beginning of a training. (The scale `better` declares the same rows at 128
# pixels and ten epochs, for a GPU.)

# %%
SCALE = "better-minutes"
found = replication.recorded(replication.RESULTS, SCALE)
declared = replication.declared()["scales"][SCALE]
recorded = {name: found[name] for name in declared["data"]}
for name, rows in recorded.items():
    run = rows["unet"][0]
    sizes = run["photos"]
    print(f"{name}: {sizes['train']} training and {sizes['test']} test",
          f"photographs, {run['size']} pixels,",
          f"{run['settings']['epochs']} epochs")
    print(f"   on {run['device']}, {run['precision']}, commit",
          run["commit"][:7])


# %% tags=["hide-input"]
def change(rows, one, other):
    """By how many percent errors differ, with a 95 % interval."""
    return replication.relative(rows[one], rows[other]).interval


def gain(one, other):
    """What one network changes, in a line for each data set."""
    for name, rows in recorded.items():
        middle, low, high = change(rows, one, other)
        before, after = (replication.summary(rows, row)
                         for row in (other, one))
        print(f"{name:10} error {middle:+5.1f} %"
              f" [{low:+.1f}, {high:+.1f}]"
              f"  chroma {before.chroma:.2f} -> {after.chroma:.2f}"
              f"  gap {before.gap:.0f} -> {after.gap:.0f} %")


# %% [markdown]
# A line below says by how many percent a step changes the error, with a
# 95 % interval; how the mean chroma changes (1 is the photographs' own);
# and how much of the [classifier's gap](notation.md#words) is closed.
#
# On *landscapes* three networks have three seeds; a single seed is taken to
# vary as those of the network it is compared with. On *everyday* every
# network has one seed: there, an interval is for other photographs alone.
# And where there is no effect, one of twenty intervals still excludes zero
# (*multiple comparisons*).
#
# First the recipe. The paper's fusion network, trained by AdamW with cosine
# decay, weight averaging and mirror images, against the same network with
# the settings of [chapter 7](07-replication.ipynb):

# %%
gain("fusion-tuned", "fusion")

# %% [markdown]
# The recipe shows no change of the error, and costs chroma. (Part of that
# may be the averaging: a run has 750 or 1,125 steps, and 22 or 11 % of the
# averaged weights still come from the first one.) All rows below share the
# recipe, so that they can be compared with each other.
#
# ## The prior before its pooling
#
# A classifier of photographs is an encoder. EfficientNet-Lite2, the prior
# of [chapter 4](04-fusion.ipynb), makes five maps of a photograph, each
# half as wide and high as the one before. One more layer follows, then
# *global average pooling* over all positions, and a layer that turns the
# mean into 1,000 numbers, one for each class. Fusion takes these numbers.
# Now we take the maps.

# %%
torch.manual_seed(0)
unet = networks.build("unet").eval()
photo = data.pack(data.photos("samples", "test"), 256).lab([6])
L, _ = lab.normalize(photo)
with torch.no_grad():
    maps = unet.encoder(L)
for stride, found in zip(unet.encoder.strides, maps, strict=True):
    print(f"stride {stride:2}: {found.shape[1]:3} channels,"
          f" {found.shape[2]:3} x {found.shape[3]} positions")

# %% [markdown]
# To look at a map of many channels, project every position onto the three
# directions in which positions differ most (its *principal components*), and
# show the three numbers as red, green and blue. Positions that the
# classifier finds alike then have similar colours.

# %% mystnb={"figure": {"caption": "A gray photograph and five maps that a classifier makes of it, from fine to coarse, each reduced to three principal components.", "name": "fig-maps"}, "image": {"alt": "The Eiffel Tower in gray, then five maps in false colours. Stride 2: outlines of tower, clouds and trees. Stride 4 and 8: sky, clouds, trees and tower in different colours, ever coarser. Stride 16: a red tower with a green border before a dark sky. Stride 32: eight by eight large squares, of which those of the tower differ from those beside it."}}
def principal(map_):
    """(1, C, h, w) -> (1, 3, h, w) in [0, 1]."""
    x = map_[0].flatten(1)  # (C, h * w)
    x = x - x.mean(dim=1, keepdim=True)
    directions = torch.linalg.svd(x, full_matrices=False)[0][:, :3]
    # The sign of a direction is arbitrary: make its sum positive.
    y = (directions * directions.sum(dim=0).sign()).T @ x  # (3, h * w)
    low, high = (y.quantile(q, dim=1, keepdim=True)
                 for q in (0.02, 0.98))
    return ((y - low) / (high - low)).clamp(0, 1).view(
        1, 3, *map_.shape[2:])


shown = [figures.gray(photo)]
for found in maps:
    large = F.interpolate(principal(found), 256)  # nearest neighbour
    shown.append(lab.rgb_to_lab(large))
names = ["gray", *(f"stride {s}" for s in unet.encoder.strides)]
figures.sheet(torch.cat(shown), names, columns=3)

# %% [markdown]
# The coarse maps tell what is where; the fine ones, where it ends. The
# decoder of a *U-Net* (Ronneberger et al. 2015,
# [arXiv:1505.04597](https://arxiv.org/abs/1505.04597)) uses all of them. It
# enlarges the coarsest map, concatenates the next finer one (a *skip
# connection*), convolves, and goes on to the finest:

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The U-Net with the quantized head: the classifier's maps, from fine to coarse (left, downwards), and the decoder, which enlarges the coarsest and joins one finer map after the other (right, upwards).", "name": "fig-diagram-unet"}, "image": {"alt": "Left, a column of the encoder's maps, each half as large as the one above. Right, a column that leads back up: at each size the decoder's map is joined with the encoder's, then convolved; at the top the head makes ab of it."}}
diagrams.unet("unet", size=256, head="quantized")

# %% tags=["hide-output"]
print(inspect.getsource(networks.UNetDecoder))

# %% [markdown]
# With the classifier as its encoder this is the preset `unet`. Training
# starts from the classifier's weights and changes them with a lower
# learning rate than the decoder's (`encoder_rate`). In fusion they are
# frozen.
#
# What do the classifier's weights contribute? `unet-scratch` starts from
# random weights and has no prior:

# %%
gain("unet-scratch", "fusion-tuned")

# %% [markdown]
# And here is what the classifier's weights change:

# %%
gain("unet", "unet-scratch")

# %% [markdown]
# Without the classifier, the U-Net's error is 16.5 to 23.1 % above that of
# fusion, which has a prior. With the classifier's weights, the U-Net makes
# up for that. Maps against vector, both with the same recipe:

# %%
gain("unet", "fusion-tuned")

# %% [markdown]
# Neither interval excludes zero. The maps close more of the gap on
# *landscapes* (13 against 8 %), but not on *everyday*. The comparison is
# uneven: fusion's classifier is given every photograph at 224 pixels, the
# U-Net's encoder at 64, where its coarsest map has 2 x 2 positions.
#
# ## A distribution instead of a mean
#
# Zhang et al. (2016, [arXiv:1603.08511](https://arxiv.org/abs/1603.08511))
# do not ask for a colour. They divide the plane of a and b into cells of 10
# x 10 units and ask for the probability of each cell. Colorization becomes
# classification, at every position, trained by cross-entropy. A network
# that cannot tell whether an apple is red or green ([chapter
# 6](06-why-brown.ipynb)) may now say so. Here is such an answer, 55 % red
# and 45 % green. (The paper has 313 cells; here a cell counts only if some
# colour of sRGB falls into it.)

# %%
centres = colours.centres()  # (Q, 2), cells that hold colours of sRGB
red, green = (
    int((centres - torch.tensor(ab)).norm(dim=1).argmin())
    for ab in ([60.0, 40.0], [-50.0, 40.0])
)
z = torch.full((1, len(centres), 1, 1), -30.0)  # logits
z[0, red], z[0, green] = 0.2, 0.0
p = z.softmax(dim=1).flatten()
print(f"{len(centres)} cells; red {p[red]:.0%}, green {p[green]:.0%}")

# %% [markdown]
# A picture needs one colour. The mean of the distribution is what a squared
# error asks for: brown. The most probable colour is vivid, but may jump from
# one position to the next. Zhang et al. take the *annealed mean*: every
# probability to the power of $1/T$, made to sum to one again, and then the
# mean. $T$, the *temperature*, leads from the mean (1) to the most probable
# colour (near 0).

# %% mystnb={"figure": {"caption": "One distribution, 55 % red and 45 % green, made into one colour at four temperatures.", "name": "fig-annealed"}, "image": {"alt": "Four plain squares: golden brown at T = 1, brown orange at 0.38, orange red at 0.1, red at 0.02."}}
head = networks.build("unet", head="quantized", width=0.125).head
temperatures, patches = (1.0, 0.38, 0.1, 0.02), []
for temperature in temperatures:
    head.settings = replace(head.settings, temperature=temperature)
    a, b = (lab.AB_SCALE * head.ab(z, (2, 2))[0, :, 0, 0]).tolist()
    print(f"T = {temperature:4}: a {a:3.0f}, b {b:3.0f}")
    patch = torch.tensor([60.0, a, b]).view(1, 3, 1, 1)
    patches.append(patch.expand(1, 3, 8, 8))
figures.sheet(torch.cat(patches), [f"T = {t}" for t in temperatures],
              columns=4)

# %% [markdown]
# A distribution, read at T = 1, against a network trained by squared error:

# %%
gain("unet-quantized", "unet")

# %% [markdown]
# More colour, an error that may be a little larger, and on *landscapes*
# less of the gap closed. Read at T = 1, the answer is still a mean. With
# unlimited data both losses would lead to the same mean; after so few
# visits they do not.
#
# Many pixels are nearly gray: walls, clouds, roads. With such *class
# imbalance* a classifier of pixels first learns to answer gray. Zhang et
# al. let rare colours count more in training (*class rebalancing*), and
# read at T = 0.38:

# %%
frequency = colours.smoothed_frequencies()
usual = frequency.argmax()
print("most frequent cell: a {:.0f}, b {:.0f};".format(*centres[usual]),
      f"{frequency[usual]:.0%} of all pixels, after smoothing")
print((frequency <= colours.LEAST).sum().item(), "cells are rarer than",
      f"{colours.LEAST:.3%}, and are taken for as frequent as that")
gain("unet-rebalanced", "unet")

# %% [markdown]
# Now there is as much colour as in the photographs, or more, and the error
# is clearly larger. Of the three epochs the first or second has the lowest
# error; later ones have more colour and a larger error.
#
# Rare colours can also be made to count more after training: divide each
# probability by how frequent its colour is, to some power between 0 and 1
# (*logit adjustment*, Menon et al. 2021,
# [arXiv:2007.07314](https://arxiv.org/abs/2007.07314)). Temperature and
# adjustment change no weights. So one trained network can answer in several
# ways. The library's `vivid` is the weights `unet` with two other numbers.

# %%
plain, vivid = (zoo.load(name) for name in ("unet", "vivid"))
for given in (plain, vivid):
    head = given.model.head.settings
    print(f"{given.name:6} T = {head.temperature},",
          f"adjustment {head.adjustment}")

# %% [markdown]
# ## A critic
#
# The paper hopes for adversarial networks. A second network, the *critic*
# (also *discriminator*), learns to tell photographs from predictions; the
# first learns predictions that the critic takes for photographs (pix2pix,
# Isola et al. 2017, [arXiv:1611.07004](https://arxiv.org/abs/1611.07004)).
# What would a critic say of the apple, which is red or green? As a simple
# model, let it judge a colour by the logarithm of how often such a colour
# occurs. Here are its judgement and the expected squared error, for colours
# on the way from red to green:

# %%
print("share of green   squared error   critic")
for share in (0.0, 0.25, 0.5, 0.75, 1.0):
    error = 0.5 * share**2 + 0.5 * (1 - share) ** 2
    apart = torch.tensor([share, 1 - share]) / 0.1  # from red, green
    often = 0.5 * torch.exp(-(apart**2) / 2).sum()
    print(f"{share:14} {error:15.2f} {often.log():8.1f}")

# %% [markdown]
# The squared error is lowest half-way, at brown. The critic prefers red and
# green equally, whichever is right. So the squared error stays beside it,
# and the critic has a small weight. In `AdversarialHead` both networks
# learn in one step, from one sum of losses:

# %% tags=["hide-output"]
print(inspect.getsource(networks.AdversarialHead))

# %%
gain("unet-adversarial", "unet")

# %% [markdown]
# Here the network with a critic is *less* colourful, and its error is no
# lower. One weight of the critic and three epochs say little about critics.
#
# One more loss needs no second network: Huber's. Errors up to 0.1 count by
# their square, larger ones by their size. Zhang et al. (2017,
# [arXiv:1705.02999](https://arxiv.org/abs/1705.02999)) use it.

# %%
gain("unet-huber", "unet")

# %% [markdown]
# No difference that these photographs could show.
#
# ## Attention as it is used now
#
# Since the Transformer
# ([arXiv:1706.03762](https://arxiv.org/abs/1706.03762)), what attention
# collects is *added* to a position's vector, a residual path ([chapter
# 5](05-attention.ipynb)):
#
# $$
# y = x + \gamma \, \text{attention}(x),
# $$ (eq-residual-attention)
#
# with several *heads*, each of which attends with its own share of the
# channels. Zhang et al. (SAGAN, 2018,
# [arXiv:1805.08318](https://arxiv.org/abs/1805.08318)) let $\gamma$ start
# at zero: training begins with the network without attention, and attention
# comes in as far as it lowers the loss.

# %% tags=["hide-output"]
print(inspect.getsource(networks.SelfAttention))

# %%
torch.manual_seed(0)
attentive = networks.build("unet", heads=4)
gamma = next(module.gamma for module in attentive.modules()
             if isinstance(module, networks.SelfAttention))
more, less = (sum(p.numel() for p in model.parameters())
              for model in (attentive, unet))
print(f"gamma {gamma.item()};",
      f"{more - less:,} weights on top of {less:,}")
gain("unet-heads", "unet")

# %% [markdown]
# Residual attention makes no difference that these photographs could show.
# At 64 pixels it has 16 positions to attend to, and each of them depends on
# much of the photograph already.
#
# ## More photographs
#
# All rows above were trained on as many photographs. Here the first half and
# the first quarter of them are visited twice and four times as often:

# %%
gain("unet-half", "unet")
gain("unet-quarter", "unet")

# %% [markdown]
# With so few visits, four times the photographs make no difference that
# these rows could show. The rows differ in one thing more: the learning
# rate falls once an epoch, so with twelve epochs it ends lower than with
# three.
#
# ## All steps
#
# All differences again, and the scores of every network.

# %% mystnb={"figure": {"caption": "The error of each network against that of the one that it changes, in percent of the latter, with 95 % intervals. Left of zero, blue: lower. Right, red: higher.", "name": "fig-steps"}, "image": {"alt": "Two panels, ten intervals each, much alike. unet-scratch against fusion-tuned and unet-rebalanced against unet lie far to the right, around 13 to 23 per cent; unet against unet-scratch lies as far to the left. On everyday unet-quantized lies a few per cent to the right. All others cross zero; on landscapes they are some 15 per cent wide."}}
steps = {
    "fusion-tuned": "fusion", "unet-scratch": "fusion-tuned",
    "unet": "unet-scratch", "unet-heads": "unet", "unet-huber": "unet",
    "unet-quantized": "unet", "unet-rebalanced": "unet",
    "unet-adversarial": "unet", "unet-half": "unet",
    "unet-quarter": "unet",
}
figures.intervals(
    {name: {f"{one} - {other}": change(rows, one, other)
            for one, other in steps.items()}
     for name, rows in recorded.items()},
    "difference of error in percent",
)

# %% tags=["hide-input"]
figures.table(
    ("network", *(f"{name}: {what}" for name in recorded
                  for what in ("error", "chroma", "gap"))),
    [(name, *(cell for rows in recorded.values()
              for row in [replication.summary(rows, name)]
              for cell in (f"{row.error:.0f}", f"{row.chroma:.2f}",
                           f"{row.gap:.0f}")))
     for name in ("mean-colour", "fusion", *steps)],
    "Error in percent of that of mean colour; chroma relative to the"
    " photographs' own; percent of the classifier's gap that is"
    " closed.",
    "tbl-steps",
)

# %% [markdown]
# The pictures are chosen by a rule, from the first seed.

# %% mystnb={"figure": {"caption": "The first, middle and last test photograph of each data set, as six networks predict them.", "name": "fig-step-pictures"}, "image": {"alt": "Six rows: a reed bed, a sailing boat, a motorcyclist in a field; a dog on a meadow, people on a lawn below mountains, a woman with a baby. In most columns all is olive or brownish gray. In the column rebalanced both meadows are greener, the dog's sky is greenish, and some shadows are purple."}}
networks_shown = ("fusion-tuned", "unet-scratch", "unet",
                  "unet-quantized", "unet-rebalanced",
                  "unet-adversarial")
found = {
    row: [replication.pictures(replication.Run(SCALE, name, row, 0))
          for name in recorded] for row in networks_shown
}
columns = {row.removeprefix("unet-"):
           torch.cat([one["predicted"][:3] for one in runs])
           for row, runs in found.items()}
truth = torch.cat([one["photograph"][:3] for one in found["unet"]])
figures.grid(columns | {"photograph": truth})

# %% [markdown]
# At 64 pixels, after three epochs, no column is good. Only the rebalanced
# network makes the meadows clearly green. For the second meadow that is
# right. The grass behind the dog is brown in the photograph, and even the
# sky above it becomes greenish. By the error only `unet-scratch` is worse.
# Neither the eye nor the error is wrong: the eye asks whether a colour is
# plausible, the error whether it is *the* colour. (On *everyday* all gaps
# are below zero: these colours mislead the classifier more than gray does.)
#
# ## Fine-tune one yourself
#
# Now the 32 training photographs of [chapter 3](03-encoder-decoder.ipynb),
# at 64 pixels: the paper's baseline at a quarter of its width, and the
# U-Net that starts from the classifier's weights and answers with a
# distribution. Recipe and visits are the same, but the U-Net's encoder
# learns more slowly (`encoder_rate`). On Colab, choose a GPU and let them
# visit more.

# %%
packed = {
    split: data.pack(data.photos("samples", split), size)
    for split, size in (("train", 96), ("val", 64), ("test", 64))
}
recipe = Settings(
    epochs=10, repeats=4, batch_size=8, crop=64, scale=0.5, flip=True,
    optimizer="adamw", learning_rate=2e-3, cosine=True, average=0.97,
)
trained = {}
for preset, rate, changes in (
    ("baseline", 1.0, {"width": 0.25}),
    ("unet", 0.1, {"head": "quantized", "rebalancing": 0.0,
                   "temperature": 1.0}),
):
    torch.manual_seed(0)
    trained[preset] = networks.build(preset, **changes)
    training.fit(trained[preset], packed["train"], packed["val"],
                 replace(recipe, encoder_rate=rate))

# %% tags=["nbval-ignore-output"]
trivial = metrics.trivial_baselines(packed["train"], packed["test"])
errors = {}
for name, model in trained.items():
    scores = metrics.scores(metrics.network(model), packed["test"],
                            ["ab_mse", "chroma_ratio"])
    mse, chroma = (sum(each) / len(each) for each in scores.values())
    errors[name] = mse / trivial["mean colour"]
    print(f"{name:9} error {100 * errors[name]:.0f} % of mean colour,"
          f" chroma {chroma:.2f}")

# %%
print("U-Net below 0.9 of mean colour:", errors["unet"] < 0.9)
print("U-Net below the baseline:", errors["unet"] < errors["baseline"])

# %% [markdown]
# The live networks of chapters [3](03-encoder-decoder.ipynb) to
# [5](05-attention.ipynb), trained on the same 32 photographs for longer,
# end between 80 and 100 % on the same ten. The library's own weights were
# first trained on a GPU, with a million visits of the training photographs
# of *landscapes*, *places*, *everyday*, *coast* and *imagenet64*, and then
# fine-tuned; they are a mean of the weights before and after. Their file
# describes the fine-tuning:

# %%
how = plain.about["settings"]
print(f"{plain.about['size']} pixels, {how['epochs']} epochs,",
      f"{how['optimizer']}, on {plain.about['device']}")
card = zoo.card("unet").scores["samples"]
print(f"on the ten, at {card['size']} pixels: error",
      f"{100 * card['network'] / card['mean colour']:.0f} % of mean",
      f"colour, chroma {card['chroma']:.2f}")

# %% mystnb={"figure": {"caption": "Test photographs that come with the library, as the two networks trained on this page predict them, and by the library's weights.", "name": "fig-fine-tuned"}, "image": {"alt": "Four rows. A brick wall: gray green, partly reddish, grayish with blue parts, and the photograph's orange. A tree before a house: dull, greener, green in the last two. The Eiffel Tower: brown skies in the first two columns, blue skies and a green lawn in the next two. Tulips: gray, with green leaves, and green altogether; in the photograph they are pink."}}
truth = data.pack(data.photos("samples", "test"), 128).lab([0, 2, 6, 8])
L, _ = lab.normalize(truth)
given = {"baseline here": (trained["baseline"], 64),
         "U-Net here": (trained["unet"], 64),
         "unet": (plain.model, plain.size),
         "vivid": (vivid.model, vivid.size)}
figures.grid({
    name: figures.recolour(truth, predict(model, L, size))
    for name, (model, size) in given.items()
} | {"photograph": truth})

# %% [markdown]
# From 32 photographs the U-Net has learned green leaves and some reddish
# bricks, but no blue skies. The library's weights colour skies, lawns and
# trees, but get brick, stone and flowers wrong. The tulips' pink cannot be
# known from L, and none of these networks guesses it: *vivid* makes them as
# green as their leaves.

# %% [markdown]
# The cards of the three weights record their scores on photographs that
# they were not trained on:

# %% tags=["hide-input"]
cards = {name: zoo.card(name).scores for name in zoo.names()}
sets = ("landscapes", "places", "everyday")
figures.table(
    ("weights", *(f"{name}: {what}" for name in sets
                  for what in ("error", "chroma", "gap"))),
    [(name, *(cell for data_set in sets for row in [card[data_set]]
              for cell in (
                  f"{100 * row['network'] / row['mean colour']:.0f}",
                  f"{row['chroma']:.2f}", f"{100 * row['gap']:.0f}")))
     for name, card in cards.items()],
    "The weights that come with the library, on test photographs at 256"
    " pixels: error in percent of that of mean colour; chroma relative"
    " to the photographs' own; percent of the classifier's gap that is"
    " closed.",
    "tbl-shipped",
)

# %% [markdown]
# The default weights have the lowest errors. They close a sixth of the gap
# on landscapes and next to nothing elsewhere: there, their colours do not
# help a classifier. *vivid* closes a little more, at a higher error. (The
# table cannot be compared with that of [chapter 7](07-replication.ipynb),
# {numref}`tbl-worth`: size and training differ.)
#
# ## A loss of your own
#
# The loss belongs to the *head*, the last part of a network. Of a head's
# methods two matter here: `ab` makes colours of `z`, the last layer's
# output, and `loss` compares them with the photograph's. So a new loss is
# one class and one line in a table. Here is the mean absolute error:

# %% tags=["nbval-ignore-output"]
class AbsoluteHead(networks.RegressionHead):
    """A regression that is trained by the mean absolute error."""

    def loss(self, z, ab, L):
        predicted = self.ab(z, ab.shape[2:]).float()
        return F.l1_loss(predicted, ab)


networks.HEADS["absolute"] = AbsoluteHead
torch.manual_seed(0)
own = networks.build("baseline", head="absolute", width=0.25)
history = training.fit(own, packed["train"], packed["val"],
                       replace(recipe, epochs=3))
for row in history:
    print(f"epoch {row['epoch']}: mean absolute error"
          f" {row['train_loss']:.3f}, validation loss"
          f" {row['val_loss']:.4f}")

# %% [markdown]
# The validation loss stays the squared error of ab for every head, so that
# networks with different losses can be compared. Whoever loads such weights
# in a new session registers the class again first. In a copy of the
# library, a class and its line in `networks/heads.py` can be chosen on the
# command line, too: `colorlib train --set head=absolute`.
#
# ## Smoothing
#
# The paper proposes *total variation minimisation* for colours that are not
# consistent. This method finds an ab near the predicted one that changes
# less from pixel to pixel (Rudin, Osher and Fatemi 1992; scikit-image has
# it). How much less is chosen on validation photographs; the error is
# measured on test photographs.

# %%
def smoothed(ab, weight):
    """Total variation minimisation of ab (B, 2, H, W)."""
    return torch.stack([
        torch.from_numpy(denoise_tv_chambolle(
            one.numpy(), weight=weight, channel_axis=0))
        for one in ab
    ])


weights = (0.03, 0.3, 3.0)
for name in ("unet", "baseline"):
    known, ratio = zoo.load(name), {}
    for split in ("val", "test"):
        L, ab = lab.normalize(
            data.pack(data.photos("samples", split), 128).lab())
        ours = predict(known.model, L, known.size)
        before = F.mse_loss(ours, ab)
        ratio[split] = [F.mse_loss(smoothed(ours, w), ab) / before
                        for w in weights]
    best = min(range(len(weights)), key=ratio["val"].__getitem__)
    change_of_error = round(100 * (ratio["test"][best].item() - 1))
    print(f"{name:8} weight {weights[best]}, chosen by validation:",
          f"test error {change_of_error} %")

# %% [markdown]
# Smoothing lowers the error of *unet* a little, with the largest weight
# tried, and that of *baseline* not at all. It cannot correct a colour that
# is wrong over a whole area.
#
# ## Where others went
#
# :::{table} Colorization after the work that the paper builds on.
# :name: tbl-others
#
# | | network | what is new | what it costs |
# | --- | --- | --- | --- |
# | Zhang et al. 2016, [arXiv:1603.08511](https://arxiv.org/abs/1603.08511) | in the style of VGG | 313 colours, rebalancing, annealed mean | training on the 1.3 million photographs of ImageNet |
# | DeOldify, from 2018 on | U-Net on a pretrained ResNet-34 or -101, self-attention | a loss by the maps of another classifier (*perceptual*), then a critic for a short time ("NoGAN") | training with the critic for 30 to 60 minutes in the version for films, 12.5 hours in the most vivid one |
# | DDColor 2022, [arXiv:2212.11613](https://arxiv.org/abs/2212.11613) | U-Net on a pretrained ConvNeXt | learned vectors for colours, which attend to the decoder's maps; a loss that rewards colourfulness | ImageNet, several GPUs |
# | Palette 2021, [arXiv:2111.05826](https://arxiv.org/abs/2111.05826) | U-Net with self-attention | a *diffusion model*: starts from noise and removes it in many small steps | each step is a pass through the network |
# :::
#
# The last three share parts with this chapter: a decoder that uses all
# maps, attention that adds, and, but for Palette, a pretrained encoder. A
# diffusion model gives neither a mean nor a separate distribution at every
# position. It *samples* a whole picture, and another one from other noise.

# %% [markdown]
# ## What to remember
#
# - A classifier's maps tell a network what is where. One vector tells it
#   only what there is.
# - Trained by cross-entropy, a network answers with a distribution. How one
#   colour is made of it can be chosen after training.
# - Read from one network, more vivid colours mostly have a larger squared
#   error. Error, chroma and the eye have to be read together.

# %% [markdown]
# ## Three questions
#
# **1.** What does the U-Net's decoder know that the fusion network's does
# not?
#
# :::{dropdown} Answer
# What the classifier found *where*: it is given maps at five sizes. Fusion
# is given one vector for the whole photograph.
# :::
#
# **2.** A network answers 55 % red, 45 % green. What is predicted at
# temperature 1, and what near 0?
#
# :::{dropdown} Answer
# At 1 the mean of the distribution, brown. Near 0 the most probable colour,
# red.
# :::
#
# **3.** The rebalanced network has nearly the largest error and the
# greenest meadows. Is the error wrong, or the eye?
#
# :::{dropdown} Answer
# Neither. The error asks whether a colour is the photograph's own, the eye
# whether it could be.
# :::

# %% [markdown]
# ## Exercises
#
# **1.** Put a third, violet colour into the distribution, with a logit of
# -0.2. Below which temperature is its share less than one per cent?
#
# :::{dropdown} Solution
# ```python
# ab = torch.tensor([30.0, -50.0])
# violet = int((centres - ab).norm(dim=1).argmin())
# z[0, violet] = -0.2
# for temperature in (1.0, 0.5, 0.2, 0.1, 0.09, 0.08):
#     p = (z / temperature).softmax(dim=1).flatten()
#     print(temperature, p[violet].item())
# ```
#
# Its share is 27 % at T = 1, 1.6 % at 0.1, 1.05 % at 0.09 and 0.6 % at
# 0.08.
# :::
#
# **2.** Which of the U-Net's maps matters most? Set one of them to zero
# before the decoder gets it, and look at the error.
#
# :::{dropdown} Solution
# ```python
# test = data.pack(data.photos("samples", "test"), 128)
# L, ab = lab.normalize(test.lab())
# model = plain.model
# with torch.no_grad():
#     maps = model.encoder(L)
#     for i, stride in enumerate(model.encoder.strides):
#         fewer = [0 * m if i == j else m for j, m in enumerate(maps)]
#         z = model.head(model.decoder(fewer))
#         print(stride, F.mse_loss(model.head.ab(z, L.shape[2:]), ab))
# ```
# :::
#
# **3.** Fine-tune the U-Net with the classifier's weights practically fixed
# (`encoder_rate=1e-9`). What is lost?
#
# :::{dropdown} Solution
# ```python
# torch.manual_seed(0)
# frozen = networks.build("unet", head="quantized", rebalancing=0.0,
#                         temperature=1.0)
# training.fit(frozen, packed["train"], packed["val"],
#              replace(recipe, encoder_rate=1e-9))
# for model in (trained["unet"], frozen):
#     print(training.evaluate(model, packed["test"]))
# ```
#
# (The encoder's batch normalisation still adapts.)
# :::
