# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 5 Attention
#
# This chapter is about the step that the paper adds to its sources: before
# the decoder, every position of the map may collect what it needs from all
# other positions. What exactly is computed, what does it cost, and does a
# position use what it could get?
#
# *After this chapter you can* read the paper's three equations and correct
# their slips; compute attention weights by hand; translate them into
# queries, keys and values; say why scores are scaled, and what attention
# costs in weights and in memory; train a network with attention against one
# without and against a control with as many weights; map what a position of
# a photograph attends to.
#
# *To run it*: [open it on
# Colab](https://colab.research.google.com/github/colorlib/attention-colorization/blob/main/book/05-attention.ipynb),
# where its first cell installs the library; or `pip install
# git+https://github.com/colorlib/attention-colorization` with Python 3.11
# or newer. It takes about a minute and a half on two CPU cores.

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
import math

import torch
from torch.nn import functional as F
from torch.optim.swa_utils import update_bn

from colorlib import data, metrics, networks, training
from colorlib.networks import priors
from replication.book import diagrams, figures, widgets

# %% [markdown]
# ## What the paper says
#
# > The output of the fusion layer is then manipulated using the attention
# > mechanism before providing it as an input to the decoder network.
# > (section 3.1)
#
# > Without attention, the entire image would have to be compressed into a
# > fixed-length vector which is bound to have some information loss [...]
# > The way attention mechanism works is that it comprises of a context
# > vector of all the encoder's output to compute the probability
# > distribution of each element of the source image's vector for each
# > element of the output (decoder's) vector. (section 3.5)
#
# And the mathematics, as printed there:
#
# > Attention weight:
# >
# > $$
# > \alpha_{ts} = \frac{\exp(\text{score}(h_s, \bar{h}_t))}
# > {\sum_{s'=1}^S \exp(\text{score}(h_s, \bar{h}_{s'}))}
# > $$
# >
# > Context vector:
# >
# > $$
# > \sum_s \alpha_{ts} \bar{h}_s
# > $$
# >
# > Attention vector:
# >
# > $$
# > f(c_t, h_t) = \tanh(W_c [c_t; h_t])
# > $$
# > (section 3.5)

# %% [markdown]
# ## The slips, one by one
#
# The equations are those of Luong, Pham and Manning
# ([arXiv:1508.04025](https://arxiv.org/abs/1508.04025)) for translating
# sentences. For images, three things in them are open or wrong, and two of
# the paper's claims about them are wrong.
#
# **`score` is never defined.** Luong et al. offer three: *dot*, *general*
# and *concat*, which {eq}`eq-score` below spells out. The library has all
# three; *general* is the default.
#
# **The indices are swapped.** In the first equation a bar marks the target,
# $\bar{h}_t$; in the second it marks the source, $\bar{h}_s$. If the bar
# marks targets in the first, its sum over $\bar{h}_{s'}$ runs over
# *targets*: for each source, the weights sum to one over all of them. The
# words above ask for a distribution over the elements of the *source*, for
# each element of the output. We follow the words; `softmax="targets"` gives
# the equation as written.
#
# **$h_t$ and $\bar{h}_s$ are not defined for images.** In a translator,
# $h_t$ is the state of a recurrent decoder at the word $t$. Nothing here
# is recurrent. We take the positions of two maps: $h_t$ is position $t$
# of the fused map, $\bar{h}_s$ is position $s$ of the encoder's map. (That
# the fused map attends to itself is another reading:
# `attention_source="fused"`.)
#
# **There is no fixed-length vector.** Without attention, the latent is
# still a map, and it grows with the photograph:

# %%
fusion = networks.build("fusion").eval()
for side in (64, 128, 256):
    with torch.no_grad():
        mixed, encoded = fusion.maps(fusion.example(1, side, side))
    print(f"photograph {side:3} x {side:3}",
          "encoder", tuple(encoded.shape[1:]),
          "fused", tuple(mixed.shape[1:]))

# %% [markdown]
# The one vector of fixed length is the global prior's, and it is there
# with attention and without.
#
# **Attention does not save weights.** The abstract claims:
#
# > attention mechanism reduces the total number of trainable features in a
# > deep learning model thus making it more computationally efficient
# > (abstract)
#
# "Features" is not explained; the number that can be trained is the number
# of weights, and weights can be counted. The last row is a
# [control](notation.md#words) that we will need: `attention="pointwise"`
# has the same layers as *general*, $W_a$ and $W_c$ of the equations below,
# but there every position attends only to itself.

# %%
def count(module):
    return sum(p.numel() for p in module.parameters())


with_attention = networks.build("attention")
control = networks.build("attention", attention="pointwise")
for name, network in (("fusion", fusion),
                      ("fusion, attention", with_attention),
                      ("fusion, pointwise", control)):
    print(f"{name:18} {count(network):,} weights")
added = count(with_attention) - count(fusion)
print(f"attention adds {added:,}, "
      f"by hand {256**2 + 2 * 256**2 + 256:,}: "
      f"{added / count(fusion):.1%} more")

# %% [markdown]
# Counting refutes the claim: attention replaces nothing in fusion, and
# $W_a$ and $W_c$ have to be learned as well.

# %% [markdown]
# ## The equations, corrected
#
# For every position $t$ of the fused map, now called $h$ (in [chapter
# 4](04-fusion.ipynb) that was the encoder's map), and all positions $s$ of
# the encoder's map $\bar{h}$:
#
# $$
# \alpha_{ts} = \frac{\exp(\text{score}(h_t, \bar{h}_s))}
# {\sum_{s'=1}^S \exp(\text{score}(h_t, \bar{h}_{s'}))}
# $$ (eq-weights)
#
# $$
# c_t = \sum_{s=1}^S \alpha_{ts} \bar{h}_s
# $$ (eq-context)
#
# $$
# f(c_t, h_t) = \tanh(W_c [c_t; h_t])
# $$ (eq-output)
#
# with one of
#
# $$
# \text{score}(h_t, \bar{h}_s) = \begin{cases}
# h_t^\top \bar{h}_s & \textit{dot} \\
# h_t^\top W_a \bar{h}_s & \textit{general} \\
# v^\top \tanh(W_a [h_t; \bar{h}_s]) & \textit{concat}
# \end{cases}
# $$ (eq-score)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Attention, from two maps to the attention vector at every position. Shapes beside the arrows are positions x channels, or targets x sources.", "name": "fig-diagram-attention"}, "image": {"alt": "Arrows lead from the fused map and the encoder's map down to the scores, their softmax, which gives the attention weights, and the context, a weighted sum of the encoder's map. The context is joined with the fused map and becomes the attention vector, which goes to the decoder."}}
diagrams.attention("attention", size=256)

# %% [markdown]
# ## Three positions, by hand
#
# Take maps of three positions with two channels each. The first target is
# $h_1 = (1, 0)$, so its dot products with the sources are the sources'
# first channels: $0$, $\ln 2$, $\ln 5$. Their exponentials are 1, 2 and
# 5, which sum to 8. By {eq}`eq-weights` the weights are 1/8, 2/8 and 5/8,
# and by {eq}`eq-context` the context's second channel is
# $8/8 + 2 \cdot 16/8 + 5 \cdot 0/8 = 5$.

# %%
dot = networks.Attention(2, "dot", scaled=False)
h = torch.tensor([[[1.0, 0.0], [0.0, 0.0], [2.0, 0.0]]])
h_bar = torch.tensor(
    [[[0.0, 8.0], [math.log(2), 16.0], [math.log(5), 0.0]]]
)
alpha = dot.weights(h, h_bar)[0]
print("first target:", ", ".join(f"{8 * w:.3f}/8" for w in alpha[0]))
print(f"its context, second channel: {(alpha @ h_bar[0])[0, 1]:.3f}")

# %% [markdown]
# The second target is zero, so its scores are equal and its weights
# uniform. The third is twice the first: its exponentials are squared, 1, 4
# and 25, and its weights sharper. Below, the same with the paper's equation
# as written:

# %%
written = networks.Attention(2, "dot", scaled=False, softmax="targets")
for name, module in (("as intended", dot), ("as written", written)):
    alpha = module.weights(h, h_bar)[0]
    print(name)
    for row in alpha:
        print("  ", " ".join(f"{w:.3f}" for w in row),
              f"  sum over sources {row.sum():.3f}")
    columns = " ".join(f"{w:.3f}" for w in alpha.sum(dim=0))
    print("  ", columns, "  sums over targets")

# %% [markdown]
# This is why the weights have to sum to one over *sources*: then a context
# is a weighted average of what the sources hold. As written, the weights of
# the third target sum to far more than one, those of the second to about a
# half. Such a context is no average, and its size depends on the scores of
# the *other* targets.

# %% [markdown]
# ## The module
#
# The library's own code, printed from the package:

# %%
print(inspect.getsource(networks.Attention))

# %% [markdown]
# ### The scores
#
# Four channels, two targets and three sources, at random. Each score is
# also computed by hand, for the second target and the third source. The
# library keeps *concat*'s $W_a$ in two halves, since $W_a [h_t; \bar{h}_s]
# = W_t h_t + W_s \bar{h}_s$.

# %%
random = torch.Generator().manual_seed(0)
h = torch.randn(1, 2, 4, generator=random)
h_bar = torch.randn(1, 3, 4, generator=random)
t, s = h[0, 1], h_bar[0, 2]
torch.manual_seed(0)
dot, general, concat = (
    networks.Attention(4, score)
    for score in ("dot", "general", "concat")
)
with torch.no_grad():
    W_a = torch.cat((concat.W_t.weight, concat.W_s.weight), dim=1)
    by_hand = {
        dot: t @ s,
        general: t @ general.W_a.weight @ s,
        concat: concat.v.weight[0] @ (W_a @ torch.cat((t, s))).tanh(),
    }
    for module, value in by_hand.items():
        score = module.scores(h, h_bar)[0, 1, 2]
        print(f"{module.score:8} {score:6.3f}  by hand {value:6.3f}")

# %% [markdown]
# ### Why the scores are divided by $\sqrt{C}$
#
# A dot product adds $C$ terms. If they are independent with mean zero, its
# standard deviation grows with $\sqrt{C}$. With 256 channels the largest
# score is far above the rest, the softmax is nearly saturated, and hardly
# any gradient flows to the scores. Dividing by $\sqrt{C}$ removes the
# growth (Vaswani et al.,
# [arXiv:1706.03762](https://arxiv.org/abs/1706.03762)). Luong et al. and
# the paper do not divide.
#
# *Entropy* tells how evenly the weights are spread. As a share of its
# maximum it is 1 for uniform weights and 0 if only one position counts.
# Here it is for untrained networks of full width on the ten test
# photographs. (In training mode, batch normalisation takes its statistics
# from these ten.)

# %%
def entropy(alpha):
    """Of weights (B, T, S), as a share of log S; one value a target."""
    S = alpha.shape[-1]
    return torch.special.entr(alpha).sum(dim=-1) / math.log(S)


def weights(network, photographs):
    """alpha of every photograph: (B, T, S)."""
    with torch.no_grad():
        return network.attended(photographs.inputs())


# %%
prior = priors.Prior()
packed = {
    split: data.pack(
        data.photos("samples", split), 96, prior, mirrored=True
    )
    for split in data.SPLITS
}
test = packed["test"]
print(len(test), "test photographs, embeddings",
      tuple(test.embedding().shape))

# %%
for score in ("dot", "general", "concat"):
    found = []
    for scaled in (False, True):
        torch.manual_seed(0)
        network = networks.build(
            "attention", attention=score, attention_scaled=scaled
        )
        alpha = weights(network, test)
        found.append(entropy(alpha).mean().item())
    print(f"{score:8} entropy {found[0]:.2f}, scaled {found[1]:.2f}")

# %% [markdown]
# Unscaled, *dot* and *general* begin nearly saturated. *concat* does not,
# since tanh keeps its terms small. Scaled, all three begin close to uniform
# weights.

# %% [markdown]
# ## Queries, keys and values
#
# Today the same parts have other names. A target asks with a *query*. Each
# source answers with a *key*; query times key is the score. The sources'
# *values* are averaged. With one query, key or value a row,
#
# $$
# \text{attention}(Q, K, V) =
# \text{softmax}\left(\frac{Q K^\top}{\sqrt{C}}\right) V.
# $$ (eq-qkv)
#
# Luong's *general*, once scaled, is a case of it. The queries are the
# $h_t$, the keys $W_a \bar{h}_s$, the values the $\bar{h}_s$ as they are.
# So torch's own function computes it, and need not keep the weights:

# %%
torch.manual_seed(0)
h, h_bar = torch.randn(2, 300, 64), torch.randn(2, 300, 64)
module = networks.Attention(64, "general")
with torch.no_grad():
    query, key, value = h, module.W_a(h_bar), h_bar
    today = F.scaled_dot_product_attention(query, key, value)
    luong = module.weights(h, h_bar) @ h_bar
print("the same context:", torch.allclose(today, luong, atol=1e-5))

# %% [markdown]
# Five things are different in a network of today.
#
# - *All three are learned.* Queries, keys and values each have a matrix.
#   Luong's single $W_a$ does the work of two of them, since $h_t^\top
#   W_q^\top W_k \bar{h}_s$ is a score of the kind *general*.
# - *Several heads.* The channels are divided among heads, and each head has
#   its own softmax. So one position can attend to several places for
#   different reasons.
# - *A residual path.* The context is *added* to the position's vector, $x +
#   W c$. Luong's {eq}`eq-output` replaces that vector. With a sum, training
#   can begin with a network without attention ([chapter
#   8](08-better-colours.ipynb)), and the gradient can bypass attention.
# - *Position.* An average does not tell where its terms come from.
#   Transformers add a *positional encoding* to each vector; below,
#   coordinates do this.
# - *Self-attention.* Queries, keys and values come from one map. Here the
#   targets are the fused map and the sources are the encoder's, two maps of
#   the same photograph: that is called *cross-attention*.
#
# Four heads in the notation of the cell above: 64 channels become four
# times 16, and each target has four distributions over the sources instead
# of one. The number of multiplications stays the same.

# %%
def by_head(x, heads=4):
    """(B, T, C) -> (B, heads, T, C / heads)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


q, k, v = by_head(query), by_head(key), by_head(value)
alpha = (q @ k.transpose(-1, -2) / math.sqrt(16)).softmax(dim=-1)
print("queries", tuple(q.shape), "weights", tuple(alpha.shape))
heads = alpha @ v
print("as torch computes it:", torch.allclose(
    heads, F.scaled_dot_product_attention(q, k, v), atol=1e-5))

# %% [markdown]
# ## What it costs
#
# Every position scores every other. A photograph twice as wide and twice
# as high has four times as many positions and sixteen times as many
# weights $\alpha$. Each of them takes $C$ multiplications to find and $C$
# to use; $W_a$ and $W_c$ take $3 C^2$ a position. For one photograph at
# full width, $C = 256$, with $\alpha$ in float32:

# %%
C = 256
print("photo    positions   entries of alpha   multiplications")
for side in (64, 128, 256, 512):
    S = (side // networks.STRIDE) ** 2
    products = 2 * S**2 * C + 3 * S * C**2
    print(f"{side:3} x {side:<3} {S:7,} {S**2:11,}"
          f" {S**2 * 4 / 2**20:7.3f} MiB {products:14,}")

# %% [markdown]
# All of it comes on top of what fusion computes, so "more computationally
# efficient" does not hold either. This is the price on maps of an eighth of
# the photograph's width. Over single pixels there would be $8^4 = 4096$
# times as many entries. (*FlashAttention* never stores $\alpha$: it saves
# memory, not multiplications.) It is also why "image of any sizes and
# aspect ratio" (abstract) needs care: the library predicts a and b at a
# working size and enlarges them, while L keeps every detail.

# %% [markdown]
# ## Coordinates
#
# > Additionally, we are adding the co-ordinates of each pixels as input
# > with the raw image as input, this has known to help in translation
# > according to recent studies. [13] (section 1)
#
# A convolution does the same everywhere (it is *translation equivariant*).
# But for the padding at the border, it cannot know that it is at the top,
# where skies are. Two more input channels tell it (Liu et al.,
# [arXiv:1807.03247](https://arxiv.org/abs/1807.03247)). *What we had to
# guess:* only the input gets them; x and y run from -1 to 1; no third
# channel for the distance from the centre. In training on crops, as below,
# they are those of the crop.

# %%
print(inspect.getsource(networks.AddCoords))
gray, x, y = networks.AddCoords()(torch.zeros(1, 1, 3, 5))[0]
print("x across:", x[0].tolist())
print("y down:  ", y[:, 0].tolist())

# %% [markdown]
# They cost two more input channels of the first convolution, $2 \cdot 9
# \cdot 64$ weights at full width. For attention they do something more. {eq}`eq-context` is a sum, so it is *permutation invariant*: shuffle the 300 sources of the section on queries, and nothing changes:

# %%
placed = networks.build("attention", coordinates=True)
print(f"coordinates add {count(placed) - count(with_attention):,}")
shuffled = h_bar[:, torch.randperm(300)]
with torch.no_grad():
    gap = (module.context(h, shuffled) - module.context(h, h_bar)).abs()
print("context of shuffled sources is the same:",
      gap.max().item() < 1e-5)

# %% [markdown]
# ## Attention against its control, live
#
# Does attention colorize better than fusion alone, and better than as many
# weights without attention? Three networks of a quarter of full width are
# trained on the same photographs, with the same prior and coordinates, for
# as long: *fusion*; *attention* of the kind *general* on top of it; and a
# *control* with the same layers in which a position's context is $W_a
# \bar{h}_t$, so that in this step no position attends to another. With the same seed, layers that they share start from the same weights, and the crops are the same. All are judged after the last epoch; the
# best epoch of each is printed too.

# %%
SCALE = "seconds"  # "minutes": full width, on a Colab GPU
width, epochs = {"seconds": (0.25, 12), "minutes": (1.0, 100)}[SCALE]
device = training.auto_device() if SCALE == "minutes" else "cpu"
settings = training.Settings(
    epochs=epochs, repeats=16, batch_size=8, cosine=True,
    crop=64, scale=0.3, flip=True, exposure=0.8, seed=0,
)
trained = {}
for name, score in (("fusion", None), ("attention", "general"),
                    ("control", "pointwise")):
    torch.manual_seed(settings.seed)
    trained[name] = networks.build(
        "attention", width=width, coordinates=True, attention=score
    )
    print(f"{name:9} {count(trained[name]):7,} weights")
first, second, third = (n.state_dict() for n in trained.values())
print("the same first weights:",
      all(second[key].equal(third[key]) for key in second),
      all(second[key].equal(first[key]) for key in first))

# %%
histories = {
    name: training.fit(
        network, packed["train"], packed["val"], settings, device=device
    )
    for name, network in trained.items()
}
for network in trained.values():
    network.cpu().eval()
baselines_val = metrics.trivial_baselines(
    packed["train"], packed["val"]
)

# %% mystnb={"figure": {"caption": "Fusion, attention and its control, live: one seed, the same crops in the same order. Left: loss on the photographs trained on. Right: loss on the six validation photographs, with the trivial baselines, gray and mean colour.", "name": "fig-attention-curves"}, "image": {"alt": "Two panels with a shared logarithmic axis. Left: three training losses fall, the control's lowest, attention's highest. Right: three noisy validation losses below the line for gray; attention's ends lowest, the control's highest."}}
figures.compare_losses(histories, baselines_val)

# %% tags=["nbval-ignore-output"]
last = {name: history[-1] for name, history in histories.items()}
tested = {
    name: training.evaluate(network, test)
    for name, network in trained.items()
}
best = {name: min(row["val_loss"] for row in history)
        for name, history in histories.items()}
print("                 training  validation      best  test")
for name, row in last.items():
    print(f"{name:16} {row['train_loss']:8.3g}"
          f"  {row['val_loss']:10.3g}  {best[name]:8.3g}"
          f"  {tested[name]:.3g}")
baselines_test = metrics.trivial_baselines(packed["train"], test)
for name, loss in baselines_val.items():
    print(f"{name:16} {'':8}  {loss:10.3g}  {'':8}"
          f"  {baselines_test[name]:.3g}")

# %%
print("validation, all below gray:",
      max(row["val_loss"] for row in last.values())
      < baselines_val["gray"])
print("test, all below 0.95 of gray:",
      max(tested.values()) < 0.95 * baselines_test["gray"])
print("training, the control lower than attention by a tenth:",
      last["control"]["train_loss"]
      < 0.9 * last["attention"]["train_loss"])
print("test, all within a quarter of each other:",
      max(tested.values()) < 1.25 * min(tested.values()))

# %% [markdown]
# The control has the lowest training loss, attention the highest. On
# validation and test photographs the order is another one. At their best
# epochs the three are close together, all below mean colour. So the
# training loss, all that the paper plots, does not tell which network is
# better on other photographs.
#
# This page cannot show whether attention colorizes other photographs
# better: it has one seed and few photographs, and at 64 pixels a receptive
# field of 75 x 75 leaves little outside. [Chapter 7](07-replication.ipynb)
# has more seeds and more and larger photographs.
#
# ## What a position attends to
#
# The weights of {eq}`eq-weights` can be drawn. From the attention network
# just trained we draw them for two positions in each of two test
# photographs: sky and lawn, tree and lawn.

# %%
alpha = weights(trained["attention"], test)
print(tuple(alpha.shape), "from maps of", test.size // networks.STRIDE,
      "x", test.size // networks.STRIDE)

# %% mystnb={"figure": {"caption": "What two positions of two test photographs attend to, in a network trained for less than a minute. Left: the photographs, with the target positions marked. Middle and right: what each of them attends to, over the gray photograph; 1 is the uniform weight.", "name": "fig-attention-maps"}, "image": {"alt": "Two rows. Top: the Eiffel Tower with a marked position in the blue sky and one on the lawn, and a map for each, of 12 by 12 squares. Bottom: a tree on a lawn, with positions in the crown and on the lawn, and their maps. The two maps of a row are much alike, and do not follow its objects."}}
side = test.size // networks.STRIDE
shown = {
    "eiffel-1.png": {"sky": (1, 9), "lawn": (11, 2)},
    "campus/holdout/P1070508.png": {"tree": (2, 4), "lawn": (10, 9)},
}
rows = [test.names.index(name) for name in shown]
figures.attention(
    test.lab(rows),
    alpha[rows].view(len(rows), side, side, side, side),
    list(shown.values()),
)

# %% [markdown]
# Below are all positions of the first photograph: click one, or move the
# sliders.

# %% tags=["hide-input", "nbval-ignore-output"]
widgets.attention(
    test.lab([rows[0]])[0],
    alpha[rows[0]].view(side, side, side, side),
    (1, 9), "The Eiffel Tower under a blue sky", "eiffel-attention",
)

# %% [markdown]
# A single map is easy to over-interpret. In a network trained on one
# processor, the sky position attended to a band of sky beside it. In one
# trained from the same seed on another, which rounds sums otherwise, it
# attended to anything but the sky. The map of the lawn position is much
# like that of the sky position. Four maps show no rule, so we measure.
#
# How much do the weights of two positions differ? The [*total variation
# distance*](notation.md#words) of two distributions is half the sum of
# their absolute differences:
#
# $$
# \text{TV}(\alpha_t, \beta_t) =
# \tfrac12 \sum_{s=1}^S \lvert \alpha_{ts} - \beta_{ts} \rvert
# $$ (eq-tv)
#
# It is 0 if they are the same, at most 1. Below is its mean over all
# positions of each test photograph: the distance to uniform weights, then
# to the mean of all positions. Each is given before training, in an
# *untrained copy* with the same initialisation, and after it. (The copy's
# batch normalisation is given the averages of the training photographs.)
# The last column compares the trained maps with the untrained copy's.

# %% tags=["nbval-ignore-output"]
def total_variation(alpha, beta):
    """Mean over positions, one value a photograph."""
    return (alpha - beta).abs().sum(dim=-1).mean(dim=-1) / 2


torch.manual_seed(settings.seed)
untrained = networks.build("attention", width=width, coordinates=True)
update_bn([packed["train"].inputs()], untrained)
untrained.eval()
first_alpha, uniform = weights(untrained, test), 1 / alpha.shape[-1]
from_uniform, between_positions = {}, {}
for name, a in (("untrained", first_alpha), ("trained", alpha)):
    mean = a.mean(dim=1, keepdim=True)
    from_uniform[name] = total_variation(a, uniform)
    between_positions[name] = total_variation(a, mean)
    print(f"{name:9} entropy {entropy(a).mean():.3f}")
from_untrained = total_variation(alpha, first_alpha)
print("TV to               uniform         the mean        untrained")
print("                    before after    before after    after")
for i, name in enumerate(test.names):
    print(f"{name.split('/')[-1]:18}", *(
        f" {tv['untrained'][i]:.3f}  {tv['trained'][i]:.3f}  "
        for tv in (from_uniform, between_positions)
    ), f" {from_untrained[i]:.3f}")

# %%
print("trained, to the mean less than half as far as to uniform:",
      bool((between_positions["trained"]
            < from_uniform["trained"] / 2).all()))

# %% [markdown]
# Most of the difference from uniform weights is shared by all positions of
# a photograph. All of them get nearly the same average, a second global
# vector beside the prior's. The untrained copy differs from uniform weights
# by a similar amount, so its maps would be as easy to over-interpret.
# Training has changed what all positions attend to (the last column), far
# more than how they differ from each other. That is not what "distinguish
# better between the objects inside the images" (abstract) promises.
#
# This is one small network, trained for less than a minute; [chapter
# 7](07-replication.ipynb) measures large ones. And attention weights do not
# explain a colour: they show where a context comes from, not what the
# decoder makes of it.

# %% [markdown]
# ## What to remember
#
# - The paper's attention is Luong's, with a score left open, indices
#   swapped and a recurrent decoder that is not there; corrected, it is a
#   softmax over the encoder's positions for each position of the fused map.
# - As written, the weights sum to one over targets, and a context is no
#   average.
# - Attention adds weights and multiplications; it saves none.
# - In today's words: queries, keys and values, one head, no residual path.
#   Scores are divided by $\sqrt{C}$, or the softmax begins nearly
#   saturated.
# - The number of entries of $\alpha$ grows with the square of the number of
#   positions.
# - A fair comparison needs fusion alone, and a control with as many
#   weights. Live, with one seed, the control has the lowest training loss
#   and the highest test loss.
# - All positions of a photograph attend to nearly the same places, and they
#   did before training: draw the maps of an untrained copy before you
#   interpret those of a trained one.

# %% [markdown]
# ## Three questions
#
# **1.** Over what do the attention weights of one target sum to one, and
# why?
#
# :::{dropdown} Answer
# Over the sources. Then the context is a weighted average of the sources,
# whatever the other targets score. If they sum to one over targets, as in
# the paper's equation, a context may be much larger for one target than for
# another.
# :::
#
# **2.** A network with attention has a lower loss than one without. Which
# third network do you need before you credit it to attention?
#
# :::{dropdown} Answer
# A control with as many weights in the same places, in which no position
# attends to another. A gain that the control has too is not due to
# attention.
# :::
#
# **3.** What are query, key and value in Luong's *general*?
#
# :::{dropdown} Answer
# The query is the target $h_t$, the key is $W_a \bar{h}_s$, the value is
# $\bar{h}_s$ itself.
# :::

# %% [markdown]
# ## Exercises
#
# **1.** Add a fourth source to the example by hand whose score with the
# first target is $\ln 8$. What are the first target's weights?
#
# :::{dropdown} Solution
# The exponentials 1, 2, 5 and 8 sum to 16, so 1/16, 2/16, 5/16 and 8/16.
# All earlier weights have been halved, since a softmax sums to one. With
# `softmax="targets"`, they would have stayed as they were.
# :::
#
# **2.** How many weights does each score add at full width? Which of them
# grow with the photograph?
#
# :::{dropdown} Solution
# $W_c$ has $2 \cdot 256^2 + 256$. *dot* adds nothing to that, *general*
# $256^2$, *concat* $2 \cdot 256^2 + 256$. None grows: only $\alpha$ does,
# and it is not learned.
#
# ```python
# for score in ("dot", "general", "concat"):
#     print(score, count(networks.Attention(256, score)))
# ```
# :::
#
# **3.** Train the networks again with another seed. Which of the statements
# of this page still hold?
#
# :::{dropdown} Solution
# ```python
# import dataclasses
#
# again = dataclasses.replace(settings, seed=1)
# for score in (None, "general", "pointwise"):
#     torch.manual_seed(again.seed)
#     network = networks.build(
#         "attention", width=width, coordinates=True, attention=score
#     )
#     history = training.fit(
#         network, packed["train"], packed["val"], again
#     )
#     row = history[-1]
#     print(score, row["train_loss"], row["val_loss"],
#           training.evaluate(network, test))
# ```
#
# When we tried seeds 1 and 2, the control had the lower training loss
# again, and attention was ahead of the control on validation and test
# photographs.
# :::
#
# **4.** Let the fused map attend to itself (`attention_source="fused"`),
# or take the coordinates away, and draw the maps again. Do positions now
# differ from each other?
#
# :::{dropdown} Solution
# Build with the change, train with `settings`, and compute
# `total_variation` as above, for an untrained copy too.
# :::
#
# **5.** A camera's photograph has 4000 x 3000 pixels. How much memory
# would $\alpha$ take if it were colorized at its own size, and $\alpha$
# kept?
#
# :::{dropdown} Solution
# $500 \cdot 375 = 187{,}500$ positions, their square is
# $3.5 \cdot 10^{10}$, and at four bytes each that is 141 GB: the reason for
# a working size.
# :::
