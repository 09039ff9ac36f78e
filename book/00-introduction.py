# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Colorizing photographs with attention
#
# A gray photograph records how light every point was, and not its colour.
# You can guess the colour, since you recognise sky and grass. This book
# trains a network to do so. It replicates one paper, fills its gaps, and
# measures which of its claims hold.
#
# ::::{grid} 1 1 3 3
# :class-container: cl-start
# :gutter: 2
#
# :::{grid-item-card} See
# Gray photographs as a network colorizes them: {numref}`fig-first-light`,
# and [48 more](_static/contact-sheet.jpg).
# :::
#
# :::{grid-item-card} Try
# [Colorize a photograph](colorize.md) of yours, here in your browser. It
# does not leave your computer.
# :::
#
# :::{grid-item-card} Run
# [Train a network on
# Colab](https://colab.research.google.com/github/colorlib/attention-colorization/blob/main/book/03-encoder-decoder.ipynb),
# or install the library: `pip install
# git+https://github.com/colorlib/attention-colorization`
# :::
# ::::

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

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Left: what the network is given. Middle: what it predicts, with the weights that come with the library. Right: the photograph. None of the three was used in training.", "name": "fig-first-light"}, "image": {"alt": "Three photographs in rows: the Eiffel Tower under a blue sky, a large tree on a lawn, a flower bed; each in gray, as colorized by the network, and in true colour. Sky, lawn, leaves and stone have their colours; yellow flowers came out pale green."}}
from colorlib import colorize, data, metrics
from replication import claims
from replication.book import diagrams, figures, widgets

photos = [photo for photo in data.photos("samples", "test")
          if photo.name != "eiffel-1.png"]  # there are two of the tower
true = data.pack(photos, 192).lab()
gray = figures.gray(true)
predicted = figures.batch(
    [colorize(image) for image in figures.images(gray)]
)
ratio = metrics.ab_mse(predicted, true) / metrics.ab_mse(gray, true)
best = ratio.argsort()[:3]
figures.grid({
    "gray": gray[best], "predicted": predicted[best],
    "photograph": true[best],
})

# %% [markdown]
# Of the ten test photographs that come with the library these have the
# lowest error relative to gray (of two views of the tower, one is left
# out). [Chapter 9](09-your-photographs.ipynb) shows all ten, and where it
# fails. The weights are not of the paper's network but of a later one, with
# a pretrained classifier as its encoder ([chapter
# 8](08-better-colours.ipynb)).
#
# Move the slider: left of it is the prediction, right of it the photograph.

# %% tags=["hide-input", "nbval-ignore-output"]
widgets.compare(
    figures.images(predicted[best])[0], figures.images(true[best])[0],
    ("predicted", "photograph"), "The Eiffel Tower", "eiffel",
)

# %% [markdown]
# ## The paper in one page
#
# > V. Lakhani, *Automatic colorization of gray-scale images using deep
# > attention models*, Rochester Institute of Technology.
#
# The paper bears no year; its newest reference is of 2018. We know of no
# address where its author publishes it, and of no code or weights. So this
# book quotes what it relies on.
#
# **The problem.** Take a photograph apart into lightness L and two colour
# channels a and b ([chapter 1](01-lab.ipynb)). Given L, predict a and b.
#
# **The data.** Photographs of one kind (open country), and of many kinds
# (ImageNet): does a network trained on similar images do better than one
# trained on everything? ([chapter 2](02-photographs.ipynb))
#
# **The baseline.** An encoder of strided convolutions makes a small map of
# the photograph; a decoder enlarges it to a and b. Trained by mean
# squared error with Adam ([chapter 3](03-encoder-decoder.ipynb)).
#
# **The global prior.** A classifier trained on ImageNet,
# Inception-ResNet-v2, looks at the gray photograph too. What it
# recognises is *fused* into the encoder's map, at every position
# ([chapter 4](04-fusion.ipynb)).
#
# **Attention.** Every position of the map attends to all positions,
# weighted by a softmax over scores. This is the paper's own step ([chapter
# 5](05-attention.ipynb)):
#
# > we show for the first time that adding attention mechanisms to this
# > will help the model distinguish better between the objects inside the
# > images and thus improve the overall results (abstract)
#
# {numref}`fig-diagram-whole` shows all of it together.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "A network of the paper's, from a gray photograph to one in colour. Beside each arrow: what passes there for one photograph, channels x height x width. Without attention, and without the prior, the other parts stay as they are.", "name": "fig-diagram-whole"}, "image": {"alt": "A column of boxes joined by arrows: gray photograph, encoder, fusion, attention, decoder, head, joined with L, colour photograph. A frozen classifier gives fusion an embedding, attention is given the encoder's map too, and L goes straight to the end."}}
diagrams.whole("attention", size=256)

# %% [markdown]
# **The evidence.** Two curves of training loss, one figure that compares
# pictures, no numbers:
#
# > our model gives slightly better results as compared to the baseline
# > model, it is more aesthetically pleasing (section 5)
#
# Is that so? The paper leaves much open: layer sizes, what attends to what,
# whether the loss on other photographs agrees. Where it is silent we decide
# and say so. Where it can be read in two ways we try to run both. [Errata
# and decisions](decisions.ipynb) lists them all.

# %% [markdown]
# ## Which claims held
#
# Each claim of the paper, and what we find: *supported*; *contradicted*,
# also if a gain is claimed and every gain of more than 5 % is excluded; or
# *undecided* where our runs cannot tell. The main comparisons are on four
# thousand test photographs, with three seeds of each network. [Chapter
# 7](07-replication.ipynb) has the rule and the numbers behind each line.

# %% tags=["hide-input"]
figures.table(
    ("the paper claims", "verdict", "what we find"),
    [(claim.title, figures.verdict(claim.verdict), claim.plain)
     for claim in claims.LEDGER],
    "The paper's claims and our verdicts.", "tbl-scoreboard", words=3,
)

# %% [markdown]
# ## What this book does
#
# The page you read was executed from top to bottom when it was built: its
# numbers and pictures come from the code above them. The code is short
# because `colorlib` does the work, a small library that installs with the
# book; what matters of it is printed in the text.
#
# Everything runs at several scales with the same code:
#
# :::{table} Scales.
# :name: tbl-scales
#
# | scale | where | for |
# | --- | --- | --- |
# | seconds | two CPU cores | every page as you see it |
# | minutes | a Colab GPU, or two CPU cores for some hours | chapters [3](03-encoder-decoder.ipynb) to [5](05-attention.ipynb): the same cells at full width, one constant changed; [chapter 7](07-replication.ipynb): recorded runs on small data sets, 64 x 64 pixels, half of full width |
# | gpu | a data-centre GPU, a quarter of an hour | [chapter 7](07-replication.ipynb): recorded runs, full width, up to 60,000 photographs, up to 256 x 256 pixels |
# | better-minutes | two CPU cores for two hours | [chapter 8](08-better-colours.ipynb): recorded runs, full width, 64 x 64 pixels |
# :::
#
# A page trains a real network on real photographs, but a minute on a CPU
# does not make a good one. So the book always says which picture comes from
# which scale, and puts two [trivial baselines](notation.md#words), *gray*
# and *mean colour*, into every comparison of losses.

# %% [markdown]
# ## How to read it
#
# *As a reader*: chapters [1](01-lab.ipynb), [3](03-encoder-decoder.ipynb),
# [5](05-attention.ipynb) and [6](06-why-brown.ipynb) in an afternoon, the
# others when you need them. You need to know what a convolution and
# gradient descent are.
#
# *As a learner*: open a chapter on Colab (the link at its top, or the
# rocket), change a line, run it again.
#
# *As a user*: [colorize a photograph in your browser](colorize.md), or
# install the library:
#
# ```
# pip install git+https://github.com/colorlib/attention-colorization
# colorlib colorize photo.jpg --out photo-in-colour.png
# ```
#
# [Chapter 9](09-your-photographs.ipynb) has the rest, training on your own
# photographs included.
#
# *As a lecturer*: most chapters are one session, [5](05-attention.ipynb),
# [7](07-replication.ipynb) and [8](08-better-colours.ipynb) are two. Each
# says at its top what it is for, and ends with what to remember, three
# questions and exercises, whose answers fold out.
#
# Quotations from the paper look like those above and name their section.
# Everything else is ours.
