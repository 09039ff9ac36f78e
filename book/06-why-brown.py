# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 6 Why brown?
#
# The paper's photographs come out dull and brownish, and the same networks
# do the same here. This chapter shows that the loss asks for dull colours,
# and which metrics reward the wrong picture.
#
# *After this chapter you can* say which colour a squared error asks for
# when several are possible, and work it out; find that colour in
# photographs; tell what each metric rewards, and find cases where it
# rewards the wrong thing.
#
# *To run it*: [open it on
# Colab](https://colab.research.google.com/github/colorlib/attention-colorization/blob/main/book/06-why-brown.ipynb),
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
import torch

from colorlib import data, lab, metrics
from colorlib.tool import zoo
from colorlib.tool.pipeline import predict
from replication.book import figures

# %% [markdown]
# ## What the paper says
#
# > Further, we notice that there are many images in the validation set
# > which have very low saturation or are biased towards brown color since
# > brown color tends to give the lowest MSE values on Lab color-b spaces.
# > (section 5)
#
# > training the colorization network over a large network makes it
# > generalize and underfit which leads to gray or brownish images.
# > (section 4.1)
#
# *What it says:* dull colours are what the loss asks for, and the more so
# the more varied the photographs are. Both can be checked without a
# network.

# %% [markdown]
# ## An apple that may be red or green
#
# Suppose a network is given an apple in gray. Of the apples of this
# lightness that it was trained on, half were red and half green. What
# should it predict? For a predicted colour $c$, the mean squared error is
#
# $$
# \tfrac12 \lVert c - \text{red} \rVert^2
# + \tfrac12 \lVert c - \text{green} \rVert^2,
# $$ (eq-two-colours)
#
# which is least at the mean of the two, a colour that none of these apples
# has:

# %%
apples = torch.tensor([[60.0, 40.0], [-50.0, 40.0]])  # a and b
mean = apples.mean(dim=0)
for name, ab in zip(("red", "green", "mean"), (*apples, mean),
                    strict=True):
    a, b = ab.tolist()
    print(f"{name:6} a {a:3.0f}  b {b:3.0f}  chroma {ab.norm():.0f}")

# %% mystnb={"figure": {"caption": "Two colours of one lightness, and their mean.", "name": "fig-apples"}, "image": {"alt": "Three plain squares: red, green, and brown."}}
patches = torch.empty(3, 3, 8, 8)
patches[:, 0] = 60
patches[:, 1:] = torch.stack((*apples, mean))[:, :, None, None]
figures.sheet(patches, ("red", "green", "mean"), columns=3)

# %% [markdown]
# The mean of red and green is brown. Chroma is $\sqrt{a^2 + b^2}$, the
# distance from gray. A mean never has more chroma than the colours it is
# taken of have on average, and it has less as soon as they differ in hue.
# So a network that minimises this loss predicts the *conditional mean* of
# the colours, which is duller than the photographs wherever the colour is
# uncertain.

# %% [markdown]
# ## What photographs are like
#
# Is the mean of all colours brown? For the 32 training photographs, the
# one constant colour with the lowest squared error is their mean:

# %%
packs = {split: data.pack(data.photos("samples", split), 96)
         for split in ("train", "test")}
true = {split: pack.lab() for split, pack in packs.items()}
ab = true["train"][:, 1:].movedim(1, -1).reshape(-1, 2)  # every pixel
mean = ab.mean(dim=0)
print("mean a, b:", " ".join(f"{v:.1f}" for v in mean.tolist()))
print(f"chroma of the mean {mean.norm():.1f}, "
      f"mean of the chroma {ab.norm(dim=1).mean():.1f}")

# %% [markdown]
# A positive b and a slightly negative a: that is not brown but olive. These
# are photographs of buildings among trees, and of flower beds, and there
# are leaves in most of them. But a network is given L. Here is the best
# prediction from the L of a single pixel: the mean of all training pixels
# of that lightness, in steps of 5.

# %% mystnb={"figure": {"caption": "The mean colour of the training photographs' pixels by their lightness, from dark to bright.", "name": "fig-by-lightness"}, "image": {"alt": "Twenty squares from black through dark olive and a little brownish gray to pale yellowish green and white: all of them dull."}}
steps = (true["train"][:, 0].flatten() / 5).long().clamp(max=19)
table = torch.stack([
    ab[steps == i].mean(dim=0) if (steps == i).any() else mean
    for i in range(20)
])
ramp = torch.empty(20, 3, 8, 8)
ramp[:, 0] = torch.arange(2.5, 100, 5)[:, None, None]
ramp[:, 1:] = table[:, :, None, None]
figures.sheet(ramp, columns=20)

# %%
hue = torch.rad2deg(torch.atan2(table[:, 1], table[:, 0]))
print("chroma of these means between L = 10 and 90, at most:",
      f"{table[2:18].norm(dim=1).max():.0f}")
print("between red (0) and green (180), by way of yellow (90):",
      f"{((hue > 0) & (hue < 180)).sum()} of 20")

# %% [markdown]
# So the paper is right that the loss asks for dull colours, and that they
# lie on the side of yellow: all of these means have a positive b, since the
# blue of skies is in the minority at every lightness. But the loss does not
# reward brown as such. It rewards the mean of whatever is possible. For
# apples that is brown; in these photographs it is olive.

# %% [markdown]
# ## What the metrics reward
#
# Six ways to colorize the ten test photographs:
#
# - *gray*, and *mean colour*, the constant from above;
# - *by lightness*, the table from above;
# - *network*, the weights `baseline` that come with the library;
# - *stronger*, the same with its colours times 1.5;
# - *wrong colours*, vivid ones: those of the next test photograph,
#   mirrored, pixel for pixel. They have the right amount of colour in the
#   wrong places.

# %%
test, photographs = true["test"], packs["test"]
L, wanted = lab.normalize(test)
model = zoo.load("baseline").model
ours = predict(model, L, 64)
which = (test[:, 0] / 5).long().clamp(max=19)
ways = {
    "gray": torch.zeros_like(wanted),
    "mean colour": (mean / 128).view(1, 2, 1, 1).expand_as(wanted),
    "by lightness": table[which].movedim(-1, 1) / 128,
    "network": ours,
    "stronger": 1.5 * ours,
    "wrong colours": wanted.roll(1, dims=0).flip(-1),
}
shown = ("ab_mse", "psnr_rgb", "ssim_rgb", "delta_e", "colourfulness",
         "chroma_ratio")
scored = {}
for name, predicted in ways.items():
    each = figures.recolour(test, predicted)
    scored[name] = {
        metric: metrics.METRICS[metric](each, test).mean().item()
        for metric in shown
    }

# %%
heads = ("ab-MSE", "PSNR", "SSIM", "dE00", "colourf.", "chroma")
digits = (4, 1, 3, 1, 1, 2)
print(f"{'':18}" + "".join(f"{head:>9}" for head in heads))
for name, row in scored.items():
    print(f"{name:18}" + "".join(
        f"{row[m]:9.{d}f}" for m, d in zip(shown, digits, strict=True)
    ))
own = metrics.colourfulness(test, test).mean().item()
print(f"the photographs' own colourfulness: {own:.3g}")

# %% mystnb={"figure": {"caption": "Three test photographs in five of the ways.", "name": "fig-ways"}, "image": {"alt": "Three photographs in rows, six columns: mean colour and by lightness, both all in pale olive; network, with a blue sky and olive leaves; stronger, the same with deeper blue; wrong colours, with the outline of another tower in the sky and yellow and green tulips; and the photograph with pink and red tulips."}}
rows = [2, 6, 8]
figures.grid({
    name: figures.recolour(test, predicted)[rows]
    for name, predicted in ways.items() if name != "gray"
} | {"photograph": test[rows]})

# %% [markdown]
# Read the table by columns.
#
# - *ab-MSE* and *PSNR* (in dB) put every cautious way, even gray, far
#   before the vivid wrong one. A squared error rewards caution, though
#   *stronger* has the same ab-MSE as *network*. (*By lightness* does worse
#   than one mean colour: its 20 means do not carry over from the training
#   photographs.)
# - *SSIM* is high for gray: it compares structure, which is in L, and L is
#   copied. A paper that reports it for colorization reports mostly that.
# - *dE00*, CIEDE2000, a colour difference modelled on human vision, agrees
#   with the squared errors about the wrong colours, but finds plain gray
#   closer to the truth than the mean colour.
# - *colourfulness* and *chroma* (predicted over true, the mean of the ten
#   photographs' ratios) measure nothing but the amount. The wrong colours
#   are nearly as colourful as the photographs. By colourfulness alone, they
#   would be best.
#
# (The weights are those of [chapter 3](03-encoder-decoder.ipynb). Their
# loss is a little higher here, since photographs of 96 pixels have more
# detail in their colours than photographs of 64.)
#
# No single column agrees with the eye. So an error *and* an amount of
# colour belong side by side, as in chapters [7](07-replication.ipynb) and
# [9](09-your-photographs.ipynb). A network whose error is lower because its
# colours are weaker has not been shown to be better.

# %%
order = sorted(scored, key=lambda name: scored[name]["ab_mse"])
print("by ab-MSE:", " < ".join(order))
print("wrong colours worse than gray, by ab-MSE:",
      scored["wrong colours"]["ab_mse"] > scored["gray"]["ab_mse"])
print("SSIM of gray above 0.9:", scored["gray"]["ssim_rgb"] > 0.9)
print("nearest to the photographs' colourfulness:",
      min(scored, key=lambda n: abs(scored[n]["colourfulness"] - own)))

# %% [markdown]
# ## What could be done
#
# The dullness comes from the loss, so more layers, a prior or attention can
# only help by making colours more certain: where fewer colours are
# possible, there is less to average. The other way is another loss. Zhang
# et al. ([arXiv:1603.08511](https://arxiv.org/abs/1603.08511)) let a
# network give a probability to each of 313 colours and then choose;
# adversarial training asks for colours that a second network takes for
# real. Both aim at more vivid colours and accept a larger squared error.
# The paper we replicate stays with the squared error. The weights that the
# tool takes by default do not: they answer with probabilities of colours
# ([chapter 8](08-better-colours.ipynb)).

# %% [markdown]
# ## What to remember
#
# - A squared error asks for the mean of all colours that are possible; a
#   mean of different hues is dull.
# - The photographs decide which dull colour it is: brown for the apples,
#   olive for our parks and towns.
# - Error and amount of colour have to be read together; SSIM says little
#   about colour.

# %% [markdown]
# ## Three questions
#
# **1.** A network trained by squared error colorizes a car. Cars of this
# kind are red, blue, green or white. What do you expect, and is it a
# mistake of the network?
#
# :::{dropdown} Answer
# Something near gray: the mean of colours of many hues. By its loss it is
# right. It would be a mistake only if the photograph showed which colour it
# is.
# :::
#
# **2.** A paper reports an SSIM of 0.95 for colorized photographs. What do
# you compare it with?
#
# :::{dropdown} Answer
# With the SSIM of gray. SSIM compares structure, which is in L, and L is
# copied.
# :::
#
# **3.** Which two numbers have to stand side by side, and why?
#
# :::{dropdown} Answer
# An error and an amount of colour. The error alone rewards caution, the
# amount alone rewards colours in the wrong places.
# :::

# %% [markdown]
# ## Exercises
#
# **1.** In {eq}`eq-two-colours`, let three quarters of the apples be red.
# What is predicted, and what would the *absolute* error $\lVert c -
# \text{red} \rVert$ ask for?
#
# :::{dropdown} Solution
# The squared error asks for the weighted mean, $a = 32.5$, $b = 40$. The
# absolute error asks for the geometric median, which for two points is the
# one with the greater weight: red itself. A loss without the square is less
# cautious.
# :::
#
# **2.** Is the mean bluer if only the top quarter of each photograph
# counts?
#
# :::{dropdown} Solution
# ```python
# for name, rows in (("top", slice(0, 24)), ("bottom", slice(72, 96))):
#     part = true["train"][:, 1:, rows]
#     print(name, part.mean(dim=(0, 2, 3)).tolist())
# ```
#
# It has a lower b, since there are skies. That is what coordinates could
# tell a network.
# :::
#
# **3.** At which strength do the network's colours have the photographs'
# chroma? What does it cost in squared error?
#
# :::{dropdown} Solution
# ```python
# chroma = wanted.norm(dim=1).mean() / ours.norm(dim=1).mean()
# print(chroma, ((chroma * ours - wanted) ** 2).mean(),
#       ((ours - wanted) ** 2).mean())
# ```
#
# At nearly twice its own, and there the error is higher again: with
# stronger colours every mistake costs more.
# :::
