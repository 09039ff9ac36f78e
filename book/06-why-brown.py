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
# *What you will be able to do:* say which colour a squared error asks for
# when several are possible, and work it out; find the brown in photographs;
# tell what each metric rewards, and find cases where it rewards the wrong
# thing. *Runs in* a quarter of a minute on two CPU cores.

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

from colorlib import data, lab, metrics, zoo
from colorlib.book import figures
from colorlib.pipeline import predict

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
# ## A tulip that may be red or yellow
#
# Suppose a network is given a tulip in gray. Of the tulips of this
# lightness that it was trained on, half were red and half yellow. What
# should it predict? Its loss, the mean squared error, is for a predicted
# colour $c$
#
# $$
# \tfrac12 \lVert c - \text{red} \rVert^2
# + \tfrac12 \lVert c - \text{yellow} \rVert^2,
# $$ (eq-two-colours)
#
# which is least at the mean of the two: orange, which none of these tulips
# has. And if a third of the tulips is violet? The mean of all three loses
# nearly half of its chroma, its distance from gray.

# %%
tulips = torch.tensor(  # a and b of three colours
    [[60.0, 40.0], [0.0, 70.0], [30.0, -45.0]]
)
names = ("red", "yellow", "violet")
two, three = tulips[:2].mean(dim=0), tulips.mean(dim=0)
for name, ab in zip((*names, "mean of two", "mean of three"),
                    (*tulips, two, three), strict=True):
    a, b = ab.tolist()
    print(f"{name:14} a {a:3.0f}  b {b:3.0f}  chroma {ab.norm():.0f}")

# %% mystnb={"figure": {"caption": "Three colours of one lightness, the mean of the first two, and the mean of all three.", "name": "fig-tulips"}, "image": {"alt": "Five plain squares: red, olive yellow, violet, orange brown, and a dull brownish pink."}}
patches = torch.empty(5, 3, 8, 8)
patches[:, 0] = 60
patches[:, 1:] = torch.stack((*tulips, two, three))[:, :, None, None]
figures.sheet(patches, (*names, "mean of two", "mean of three"),
              columns=5)

# %% [markdown]
# Chroma is $\sqrt{a^2 + b^2}$. A mean never has more chroma than the
# colours it is taken of have on average, and it has less as soon as they
# differ in hue. So the prediction is duller than the true photographs: not
# because the network is bad, but because it minimises its loss while the
# colour is uncertain. Only where the colour is certain is the prediction as
# vivid.

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
# lie on the side of yellow: all of these means have a positive b, the blue
# of skies is in the minority at every lightness. But it is not brown that
# the loss rewards. It rewards the mean of whatever is possible. In these
# photographs that is olive; in others it may be brown.

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
own = metrics.colourfulness(test).mean().item()
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
#   before the vivid wrong one. A squared error rewards caution. (A little
#   less caution than this network's would be better still by the row
#   *stronger*, though PSNR disagrees. And *by lightness* does worse than
#   one mean colour: it has overfitted the training photographs.)
# - *SSIM* is high for gray: it compares structure, which is in L, and L is
#   copied. A paper that reports it for colorization reports mostly that.
# - *dE00*, a colour difference made after human vision, agrees with the
#   squared errors about the wrong colours, but finds plain gray closer to
#   the truth than the mean colour.
# - *colourfulness* and *chroma* (predicted over true, the mean of the ten
#   photographs' ratios) measure nothing but the amount. The wrong colours
#   are nearly as colourful as the photographs. By colourfulness alone, they
#   would be best.
#
# (The weights are those of chapter 3. Their loss is a little higher here,
# since photographs of 96 pixels have more detail in their colours than
# photographs of 64.)
#
# No single column is what an eye would say. That is why an error *and* an
# amount of colour belong side by side, as in chapters 7 and 9, and why a
# network that lowers the one by lowering the other has not been shown to
# be better.

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
# et al. (arXiv 1603.08511) let a network give a probability to each of 313
# colours and then choose; adversarial training asks for colours that a
# second network takes for real. Both predict more vivid colours and make
# larger errors; both are worse by the squared error. The paper we replicate
# stays with the squared error. The weights that the tool takes by default do
# not: they answer with probabilities of colours ([chapter
# 8](08-better-colours.ipynb)).

# %% [markdown]
# ## Summary
#
# - A squared error asks for the mean of all colours that are possible; a
#   mean of different hues is dull.
# - In our photographs, of parks and towns, that mean is olive: the loss
#   asks for dull colours, and only the photographs make them brown.
# - Error and amount of colour have to be read together; SSIM says little
#   about colour.

# %% [markdown]
# ## Exercises
#
# **1.** In {eq}`eq-two-colours`, let three quarters of the tulips be red.
# What is predicted, and what would the *absolute* error $\lVert c -
# \text{red} \rVert$ ask for?
#
# :::{dropdown} Solution
# The squared error asks for the weighted mean, $a = 45$, $b = 47.5$. The
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
