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
# *What you will be able to do:* read the paper's three equations and
# correct their slips; compute attention weights by hand; say why scores are
# scaled, and what attention costs in weights and in memory; train a network
# with attention against one without and against a control with as many
# weights; map what a position of a photograph attends to. *Runs in* about a
# minute and a half on two CPU cores.

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

from colorlib import data, lab, metrics, networks, priors, training
from colorlib.book import figures, widgets

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
# The equations are those of Luong, Pham and Manning (arXiv 1508.04025)
# for translating sentences. Carried over to images, three things in them
# are open or wrong, and so are two of the paper's claims about them.
#
# **`score` is never defined.** Luong et al. offer three: *dot*, *general*
# and *concat*, which {eq}`eq-score` below spells out. The library has all
# three; *general* is the default.
#
# **The indices are swapped.** In the first equation a bar marks the
# target, $\bar{h}_t$; in the second it marks the source, $\bar{h}_s$. And
# the sum runs over $\bar{h}_{s'}$, the place where the target stood. Read
# so that the bar marks targets there, the weights sum to one over all
# *targets* of a source. The words above ask for a distribution over the
# elements of the *source*, for each element of the output. We follow the
# words; the equation as written can be had by `softmax="targets"`.
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
        mixed, encoded = fusion.maps(
            torch.zeros(1, 1, side, side), torch.zeros(1, 1000)
        )
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
# The claim is refuted by counting: attention is put on top of fusion, it
# replaces nothing, and $W_a$ and $W_c$ have to be learned as well. What it
# costs to compute, we will see below.

# %% [markdown]
# ## The equations, corrected
#
# For every position $t$ of the fused map $h$ and all positions $s$ of the
# encoder's map $\bar{h}$:
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
# The second target is zero, scores everything alike and gets uniform
# weights. The third, twice the first, squares the exponentials, 1, 4, 25,
# and gets sharper weights. Below it, the same as the paper writes it:

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
# As written, the weights of the third target sum to far more than one,
# those of the second to about a half: a context is then no average of the
# sources, and its size depends on the scores of the *other* targets. No
# error is raised, which is why such a slip can survive.

# %% [markdown]
# ## The module
#
# The library's own code, printed from the package:

# %%
print(inspect.getsource(networks.Attention))

# %% [markdown]
# ### The scores
#
# Four channels, two targets, three sources, at random, and each score
# once more by hand for the second target and the third source, straight
# from {eq}`eq-score`. The library keeps *concat*'s $W_a$ in two halves,
# since $W_a [h_t; \bar{h}_s] = W_t h_t + W_s \bar{h}_s$.

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
# A dot product adds $C$ terms. If they are independent, its spread grows
# with $\sqrt{C}$, and with 256 channels the largest of many scores is far
# above the rest: the softmax begins nearly saturated, and then hardly any
# gradient flows to the scores. Dividing by $\sqrt{C}$ removes the growth
# (Vaswani et al., arXiv 1706.03762). Luong et al. and the paper do not
# divide.
#
# *Entropy* tells how evenly the weights are spread: 1, as a share of the
# most there can be, if they are uniform; 0 if only one position counts. We
# want it for untrained networks of full width on the ten test photographs.
# `Colorizer.attended` gives the weights. (These networks are in training
# mode: batch normalisation takes its statistics from the ten photographs.)

# %%
def entropy(alpha):
    """Of weights (B, T, S), as a share of log S; one value a target."""
    S = alpha.shape[-1]
    return torch.special.entr(alpha).sum(dim=-1) / math.log(S)


def weights(network, photographs):
    """alpha of every photograph: (B, T, S)."""
    L, _ = lab.normalize(photographs.lab())
    with torch.no_grad():
        return network.attended(L, photographs.embedding())


# %%
prior = priors.Prior()
packed = {
    split: priors.packed(
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
# since tanh keeps its terms small, and would do without the division.
# Scaled, all three begin close to uniform weights over the photograph, and
# have to learn what to attend to.
#
# ### Two ways to the same numbers
#
# {eq}`eq-weights` writes all weights down. When only the context is
# wanted, *dot* and *general* go through torch's
# `scaled_dot_product_attention`, which need not keep them. Both ways must
# agree:

# %%
torch.manual_seed(0)
h, h_bar = torch.randn(2, 300, 64), torch.randn(2, 300, 64)
for score in ("dot", "general"):
    module = networks.Attention(64, score)
    with torch.no_grad():
        written_out = module.weights(h, h_bar) @ h_bar
        gap = (module.context(h, h_bar) - written_out).abs().max()
    print(f"{score:8} agree within 1e-5: {gap.item() < 1e-5}")

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
# efficient" does not hold either. And that is the price at an eighth of
# the photograph's size; over single pixels, the entries would be
# $8^4 = 4096$ times as many. (A fast way that never keeps $\alpha$ saves
# the memory, not the multiplications.) It is also why "image of any sizes
# and aspect ratio" (abstract) needs care: the library predicts a and b at
# a working size and enlarges them, while L keeps every detail.

# %% [markdown]
# ## Coordinates
#
# > Additionally, we are adding the co-ordinates of each pixels as input
# > with the raw image as input, this has known to help in translation
# > according to recent studies. [13] (section 1)
#
# A convolution does the same thing everywhere: but for the padding at the
# border, it has no way to know that it is at the top of a picture, where
# skies are. Two more input channels tell it (Liu et al., arXiv 1807.03247).
# *What we had to guess:* only the input gets them; x and y run from -1 to
# 1; no third channel for the distance from the centre. While training on
# crops, as below, they are those of the crop, which is a photograph of its
# own to the network.

# %%
print(inspect.getsource(networks.AddCoords))
gray, x, y = networks.AddCoords()(torch.zeros(1, 1, 3, 5))[0]
print("x across:", x[0].tolist())
print("y down:  ", y[:, 0].tolist())

# %% [markdown]
# They cost two more input channels of the first convolution, $2 \cdot 9
# \cdot 64$ weights at full width. For attention they do something more:
# {eq}`eq-context` is a sum, and a sum does not know where its terms come
# from. Shuffle the positions of the source, here the 300 random ones of
# three cells above, and nothing changes:

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
# \bar{h}_t$, so that in this step no position attends to another. The same
# seed gives all the same first weights where they have the same layers, and
# the same crops in the same order. All are judged after the last epoch; the
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
# The control has the lowest training loss, attention the highest. After the
# last epoch the order on the validation photographs is the reverse, and on
# the test photographs another one again: fusion, attention, control, in
# steps of about equal size. At their best epochs the three are close
# together, all far below mean colour. With this seed the training loss,
# which is all that the paper plots, would have named the wrong network;
# whether attention or plain fusion is the right one depends on the
# photographs, and one seed cannot tell it from chance.
#
# *What this can show:* all three train, and the order by training loss need
# not be the order on new photographs. *What it cannot show:* whether
# attention colours unseen photographs better. Thirty-two photographs to
# learn from, sixteen to judge by, and half a minute each are too few. And
# at 64 pixels, where a receptive field of the encoder has 75 x 75,
# attention has little to add from outside it. Chapter 7 has more
# photographs, more seeds and larger pictures.
#
# ## What a position attends to
#
# The weights of {eq}`eq-weights` are numbers between positions, so they can
# be drawn. Of the network that has just been trained we take two test
# photographs and two positions in each: one in the sky and one on the lawn;
# one in a tree's crown and one on the lawn.

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
# Four positions are few. Below are all of the first photograph's: click
# one, or move the sliders, and see what it attends to.

# %% tags=["hide-input", "nbval-ignore-output"]
widgets.attention(
    test.lab([rows[0]])[0],
    alpha[rows[0]].view(side, side, side, side),
    (1, 9), "The Eiffel Tower under a blue sky", "eiffel-attention",
)

# %% [markdown]
# A single map is easy to over-interpret. When one processor had trained
# this network, the sky position attended to a band of sky beside it, which
# is just what one would hope. When another had, from the same seed and with
# sums rounded otherwise, it attended to anything but the sky. The position
# on the lawn does not attend to lawns either: its map is much like the
# other's. Four maps show no rule, so we measure.
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
# It is 0 if they are the same, at most 1. Below, its mean over all
# positions of each test photograph: first to uniform weights, then to the
# mean of all positions of the same photograph; before training, in an
# *untrained copy* with the same initialisation, and after it. (The copy's
# batch normalisation is given the averages of the training photographs, as
# if it had been trained.) The last column compares each map of the trained
# network with the untrained copy's own.

# %% tags=["nbval-ignore-output"]
def total_variation(alpha, beta):
    """Mean over positions, one value a photograph."""
    return (alpha - beta).abs().sum(dim=-1).mean(dim=-1) / 2


torch.manual_seed(settings.seed)
untrained = networks.build("attention", width=width, coordinates=True)
training.update_batch_norm(untrained, packed["train"])
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
# Three things. Most of the difference from uniform weights is shared by all
# positions of a photograph: attention is nearly one average of the
# photograph for all of them, a second global vector beside the prior's. So
# it was from the start: the untrained copy differs from uniform by a
# similar amount, in most photographs by more, and its maps would be as easy
# to over-interpret. And training has changed what all attend to (the last
# column), far more than how positions differ from each other. That is not
# what "distinguish better between the objects inside the images" (abstract)
# promises.
#
# That is a finding about one small network, trained for less than a minute.
# Whether longer training and more photographs change that, the function
# above can measure. Nor do weights explain a colour: they say from where a
# context was collected, not what the decoder made of it.

# %% [markdown]
# ## Summary
#
# - The paper's attention is Luong's, with a score left open, indices
#   swapped and a recurrent decoder that is not there; corrected, it is a
#   softmax over the encoder's positions for each position of the fused map.
# - As written, the weights sum to one over targets, and a context is no
#   average.
# - Attention adds weights and multiplications; the claim that it saves
#   them is refuted by counting.
# - Scores are divided by $\sqrt{C}$, or the softmax begins nearly
#   saturated.
# - The number of entries of $\alpha$ grows with the square of the number
#   of positions.
# - The fair comparison has two rows: fusion alone, and a control with as
#   many weights. Live, with one seed, the control has the lowest training
#   loss and the highest test loss; at their best epochs the three are close.
# - All positions of a photograph attend to nearly the same places, and they
#   did before training: draw the maps of an untrained copy before you
#   interpret those of a trained one.

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
