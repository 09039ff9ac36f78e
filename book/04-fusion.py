# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 4 Fusing a global prior
#
# To know that grass is green, a network has to recognise grass. This
# chapter lends the baseline the knowledge of a classifier that was trained
# on a million photographs, and asks whether the network uses it.
#
# *After this chapter you can* ask an ImageNet classifier what a gray
# photograph shows, and demonstrate that colour would leak the answer; check
# the fusion layer by hand and say what it amounts to; recognise a common
# mistake of preprocessing by one number; train a network with and without
# the prior and find out whether it uses it.
#
# *To run it*: [open it on
# Colab](https://colab.research.google.com/github/colorlib/attention-colorization/blob/main/book/04-fusion.ipynb),
# where its first cell installs the library; or `pip install
# git+https://github.com/colorlib/attention-colorization` with Python 3.11
# or newer. It takes about a minute on two CPU cores.

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

import numpy as np
import torch
from torch.nn import functional as F

from colorlib import data, lab, metrics, networks, training
from colorlib.networks import priors
from replication.book import diagrams, figures

# %% [markdown]
# ## What the paper says
#
# > during the training time, we also provide images of the size 224x224x1
# > RGB image as the embedding image vector to the Inception-ResNet-V2
# > pre-trained network which uses this vector for classification task and
# > this output and concatenated to the output of the main network in the
# > fusion layer. (section 3.1)
#
# > the global prior acts as very high-level abstract feature extractor
# > which is useful for the network to understand the image contents [...]
# > For the fusion layer, we have to attach the feature volume output of
# > the encoder layer and the feature vector from our pre-trained Inception
# > network after replicating it's feature vector a few times. Finally we
# > will use some convolutional kernels to this product so that we get an
# > output of appropriate size. (section 3.5)
#
# *What it says:* a second network, trained to classify images, is given the
# whole photograph. Its output, one vector, goes to every position of the
# encoder's map.
#
# *What we had to guess:* what the classifier is shown, which of its outputs
# is "this output", how often is "a few times", and which kernels. Deep
# Koalarization ([arXiv:1712.03400](https://arxiv.org/abs/1712.03400))
# repeats the logits once for every position and uses 1x1 kernels, after
# Iizuka et al. (2016); so do we.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Fusion. The prior turns the whole gray photograph into one vector, the embedding e; repeated at every position, it is joined to the encoder's map h, and a 1x1 convolution mixes both.", "name": "fig-diagram-fusion"}, "image": {"alt": "Two ways lead down from the gray photograph. Left, the encoder makes a map; right, the photograph is resized, a frozen classifier makes an embedding of it, and that is repeated at every position. Both are joined, and a convolution leads to the decoder."}}
diagrams.fusion("fusion", size=256)

# %% [markdown]
# ## What a classifier recognises in a gray photograph
#
# The weights of the paper's Inception-ResNet-v2 have to be downloaded by
# timm, the library of classifiers used here. So that this page needs no
# download, the default is a smaller classifier, EfficientNet-Lite2, whose
# weights come as a package (`weights None` below). Both were trained on
# photographs in colour. We show EfficientNet-Lite2 four photographs, in
# gray and in colour. Its output, a thousand *logits*, one for each class,
# is the [*embedding*](notation.md#words) of the photograph.

# %%
prior = priors.Prior()
count = sum(p.numel() for p in prior.parameters())
learned = sum(p.numel() for p in prior.parameters() if p.requires_grad)
for name, value in vars(prior.spec).items():
    print(f"{name:14}", value)
print(f"{count:,} weights, {learned} of them to be trained")

# %%
photographs = data.pack(data.photos("samples", "train"), 224)
wanted = ("building2-3.png", "rocks2-l.png", "tomato_14.png",
          "flowers4.png")
some = photographs.lab([photographs.names.index(n) for n in wanted])
in_gray = prior(lab.normalize(some)[0])
in_colour = prior.see(lab.lab_to_rgb(some))
print("embeddings:", tuple(in_gray.shape))


def top_classes(logits, top=3):
    """The likeliest classes, one a line, for each photograph."""
    return ["\n".join(f"{name} {p:.0%}" for name, p in best)
            for best in priors.classes(logits, top)]


# %% mystnb={"figure": {"caption": "Four training photographs and the three ImageNet classes that the classifier finds likeliest: in gray (top) and in colour (bottom).", "name": "fig-prior-classes"}, "image": {"alt": "Four photographs in gray, above the same four in colour, with three class names and probabilities below each. An apartment house: palace in both. Rocks: stone wall in gray, undecided in colour. Tomatoes: picket fence, pot, barrow in gray; pot in colour. Tulips: barrow, tricycle, plow in gray; hip, bell pepper, pot in colour."}}
figures.sheet(
    torch.cat((figures.gray(some), some)),
    top_classes(in_gray) + top_classes(in_colour), columns=4,
)

# %% [markdown]
# It calls the apartment house a palace with and without colour, and is
# surer of the stone wall in gray. For the tomato plant and the tulips its
# first choice changes. ImageNet has no class for much that these
# photographs show, but the names need not be right: the fusion layer is
# given all thousand numbers, and "garden things, not a building" is a hint
# about colour.

# %% [markdown]
# ## Why gray: the leak
#
# "224x224x1 RGB" can be read as gray in three channels or, as section 3.6
# suggests ([chapter 2](02-photographs.ipynb)), as the colour photograph
# itself. To test the second reading, we turn all hues of one photograph in
# the plane of a and b by 90, 180 and 270 degrees. L stays the same, so the
# encoder's input does not change. Does the embedding? (The chroma is halved
# first, to keep the turned colours in the gamut. `prior.see` shows the
# classifier a picture in colour.)

# %%
def turned(photo, degrees):
    """A Lab photograph with every hue turned in the plane of a, b."""
    c, s = (f(math.radians(degrees)) for f in (math.cos, math.sin))
    L, a, b = photo
    return torch.stack((L, c * a - s * b, s * a + c * b))


angles = (0, 90, 180, 270)
pale = some[3] * torch.tensor([1, 0.5, 0.5])[:, None, None]
hues = torch.stack([turned(pale, degrees) for degrees in angles])
from_colour = prior.see(lab.lab_to_rgb(hues))
from_L = prior(lab.normalize(hues)[0])
between = torch.pdist(in_colour).mean()
print("change of the embedding, 1 = from one photograph to another")
print("hues turned by  from colour  from L")
for i, degrees in enumerate(angles):
    change = [(e[i] - e[0]).norm() / between
              for e in (from_colour, from_L)]
    print(f"{degrees:14}  {change[0]:11.2f}  {change[1]:6.2f}")

# %% mystnb={"figure": {"caption": "One photograph, its chroma halved, with its hues turned, and the likeliest class if the classifier is given the colours (first line) and if it is given L alone (second line).", "name": "fig-leak"}, "image": {"alt": "Four versions of a photograph of tulips, in true and in three false colourings. The first line of text below them changes: hip, pot, miniature schnauzer, pot; the second is barrow, with the same probability, below all four."}}
figures.sheet(hues, [
    f"{one}\n{other}"
    for one, other in zip(top_classes(from_colour, 1),
                          top_classes(from_L, 1), strict=True)
], columns=4)

# %% [markdown]
# If the classifier is given the colours, turning the hues changes the
# embedding by about three quarters of the mean distance between two
# photographs. The fusion layer would be given a hint of the hue that is to
# be predicted: *target leakage*. Such a network could do well in training
# and in tests, and fail on a photograph that never had colours. So a
# `Prior` is called with L and nothing else.

# %% [markdown]
# ## The fusion layer, on a toy
#
# A map of 2 x 2 positions with three channels, an embedding of two
# numbers. The embedding is repeated at every position and joined to the
# map: five channels. A 1x1 convolution takes them back to three, and ReLU
# follows. We set its weights to small whole numbers and check one output
# by hand.

# %%
features = torch.arange(12.0).view(1, 3, 2, 2)
embedding = torch.tensor([[10.0, -1.0]])
fusion = networks.Fusion(channels=3, embedding=2, batch_norm=False)
mix = fusion.mix[0]
with torch.no_grad():
    mix.bias.zero_()
    mix.weight.zero_()
    mix.weight[0, :, 0, 0] = torch.tensor([1.0, -1, 2, 3, 1])
    fused = fusion(features, embedding)
print(tuple(features.shape), "and", tuple(embedding.shape), "->",
      tuple(mix.weight.shape), "->", tuple(fused.shape))
print("at row 1, column 0 the map holds", features[0, :, 1, 0].tolist())
by_hand = 1 * 2 - 1 * 6 + 2 * 10 + 3 * 10 + 1 * -1
print("by hand", by_hand, "- the layer", fused[0, 0, 1, 0].item())

# %% [markdown]
# Only the first three terms depend on the position. The last two, $3 \cdot
# 10 + 1 \cdot (-1)$, are the same everywhere. So the fusion layer is a 1x1
# convolution of the map plus a *conditional bias*, one that depends on the
# photograph:
#
# $$
# \text{ReLU}(W_h h_{y,x} + W_e e + b)
# $$ (eq-fusion)
#
# where $h_{y,x}$ is the map at one position and $e$ the embedding. (In the
# networks that we train, batch normalisation stands before the ReLU and
# rescales the sum, channel by channel.) The module computes this sum, since
# $W_e e$ is needed only once a photograph. Repeating, joining and mixing
# come to the same:

# %%
print(inspect.getsource(networks.Fusion))
torch.manual_seed(0)
fusion = networks.Fusion(channels=8, embedding=5, batch_norm=False)
h, e = torch.randn(2, 8, 4, 4), torch.randn(2, 5)
repeated = e[:, :, None, None].expand(-1, -1, 4, 4)  # (2, 5, 4, 4)
joined = torch.cat((h, repeated), dim=1)  # (2, 13, 4, 4)
print("the module mixes what is joined:",
      torch.allclose(fusion(h, e), fusion.mix(joined), atol=1e-5))

# %% [markdown]
# The prior can tell which colours are likely, not where they belong. That
# is left to the map, or to the attention of [chapter
# 5](05-attention.ipynb).
#
# How many weights does it add? Deep Koalarization has an embedding of 1001
# numbers, the thousand classes and a *background* class, and no batch
# normalisation; timm's classifiers have no background class.

# %%
def weights(module):
    return sum(p.numel() for p in module.parameters())


original = networks.build("fusion", embedding=1001, batch_norm=False)
ours = networks.build("fusion")
print(f"{'':8} {'original':>10} {'here':>10}")
for name, parts in (("encoder", ["encoder"]), ("fusion", ["fusion"]),
                    ("decoder", ["decoder", "head"])):
    both = (sum(weights(getattr(n, part)) for part in parts)
            for n in (original, ours))
    print(f"{name:8}", *(f"{n:10,}" for n in both))
print(f"{'all':8}", *(f"{weights(n):10,}" for n in (original, ours)))

# %% [markdown]
# That both fusion layers come to the same number is chance: ours has one
# class and the biases less, batch normalisation more.
#
# ## A common mistake: pixels in [0, 1]
#
# > it expects the images to have be zero-centered and in order to do so we
# > have to subtract the mean R, G and B values from all the images on the
# > ImageNet dataset in our image dataset. (section 3.6)
#
# Every classifier wants its pixels as it was trained, and no error is
# raised if it gets others. Both ours and Inception-ResNet-v2 were trained
# on values from -1 to 1 (`"timm"`). The paper's words, the mean
# subtracted (from 0 to 255, we take it), belong to other networks, such as
# VGG (`"mean"`). A widely copied tutorial calls a function made for 0 to
# 255 on pixels from 0 to 1 (`"trap"`): all photographs become nearly black.
#
# One number shows the last mistake: the standard deviation of a logit over
# photographs, averaged over all logits.

# %%
L, _ = lab.normalize(photographs.lab())
answers = {}
for preprocessing in ("timm", "mean", "trap"):
    other = priors.Prior(preprocessing=preprocessing)
    answers[preprocessing] = torch.cat([other(x) for x in L.split(8)])
right = answers["timm"].argmax(dim=1)
print("      spread  first choices  as timm's")
for name, logits in answers.items():
    spread, first = logits.std(dim=0).mean(), logits.argmax(dim=1)
    print(f"{name:5} {spread:6.3f}  {len(first.unique()):13}"
          f"  {(first == right).sum():3} of {len(right)}")

# %% mystnb={"figure": {"caption": "Standard deviation over the 32 training photographs of each of the classifier's thousand logits, sorted, for three ways to prepare the pixels.", "name": "fig-trap"}, "image": {"alt": "Three falling curves on a logarithmic axis. Those of timm and of the subtracted mean lie close together near 1; that of trap lies far below, near 0.03."}}
figures.lines(
    {f'"{name}"': logits.std(dim=0).sort(descending=True).values
     for name, logits in answers.items()},
    x=range(1, 1001), xlabel="logit, from the most variable down",
    ylabel="standard deviation", log=True,
)

# %% [markdown]
# With `"trap"` the embedding is close to a constant, and the classifier has
# one and the same first choice for every photograph. A network trained with
# it gets next to nothing from its prior. The paper does not say enough to
# know whether it is affected.
#
# Subtracting the mean, as the paper writes, is a mistake for these
# classifiers, too. The spread looks normal, but not one first choice is
# that of the right preprocessing. So a small spread points to a mistake,
# and a normal one does not rule it out.

# %% [markdown]
# ## Embeddings, computed once
#
# The classifier is frozen, so `data.embed` computes each embedding once
# and keeps it in a file. Training mirrors photographs at random, so the
# mirror images of the training photographs have embeddings, too.

# %%
packed = {}
for split in data.SPLITS:
    photos = data.photos("samples", split)
    embeddings, mirrored = data.embed(photos, prior), None
    if split == "train":
        mirrored = data.embed(photos, prior, mirrored=True)
    packed[split] = data.pack(photos, 96).with_embeddings(
        embeddings, mirrored
    )
    print(f"{split:5}", tuple(embeddings.shape), embeddings.dtype)

# %% [markdown]
# A photograph packed at 96 pixels keeps the embedding of the whole
# photograph at 224. In training the network is given a crop, and the
# embedding of the whole photograph around it. To the classifier the mirror
# image is a similar photograph, but not the same:

# %%
plain = packed["train"].embedding()
mirror = packed["train"].embedding(mirrored=True)
apart = (plain - mirror).norm(dim=1).mean() / torch.pdist(plain).mean()
print(f"mirrored: {apart:.2f} of the way to another photograph")
again = data.embed(data.photos("samples", "train"), prior)
print("computed again, the same:", np.array_equal(again, plain))

# %% [markdown]
# ## What the prior predicts by itself
#
# A third trivial baseline is *nearest-neighbour* regression: find the
# training photograph whose embedding is nearest, and predict its mean
# colour everywhere. It uses the kind of photograph only.

# %%
mean = lab.normalize(packed["train"].lab())[1].mean(dim=(2, 3))


def nearest(photos):
    """Loss of predicting the nearest photograph's mean colour."""
    distance = torch.cdist(photos.embedding(), plain)  # (B, 32)
    ab = mean[distance.argmin(dim=1)][:, :, None, None]
    true = lab.normalize(photos.lab())[1]
    return F.mse_loss(ab.expand_as(true), true).item()


baselines_val, baselines_test = (
    metrics.trivial_baselines(packed["train"], packed[split])
    | {"nearest": nearest(packed[split])} for split in ("val", "test")
)
print("             validation  test")
for name, loss in baselines_val.items():
    print(f"{name:12} {loss:10.5f}  {baselines_test[name]:.5f}")

# %% [markdown]
# In both columns its loss is below that of mean colour: here similar
# embeddings go with similar colours.
#
# ## With and without, live
#
# Now the network of [chapter 3](03-encoder-decoder.ipynb), `baseline`,
# against the same network with a prior, `fusion`: a quarter of full width,
# the same photographs, crops, order and number of steps. Both are judged
# after the last epoch, not after their best: choosing would use up the six
# validation photographs, and these curves are noisy. From one seed the
# library draws encoder and decoder first, so both networks start with the
# same ones; only the fusion layer is new.

# %%
SCALE = "seconds"  # "minutes": full width, on a Colab GPU
width, epochs = {"seconds": (0.25, 15), "minutes": (1.0, 100)}[SCALE]
device = training.auto_device() if SCALE == "minutes" else "cpu"
settings = training.Settings(
    epochs=epochs, repeats=16, batch_size=8, cosine=True,
    crop=64, scale=0.3, flip=True, exposure=0.8, seed=0,
)
trained = {}
for preset in ("baseline", "fusion"):
    torch.manual_seed(settings.seed)
    trained[preset] = networks.build(preset, width=width)
for name, network in trained.items():
    print(f"{name:8} {weights(network):7,} weights")
base, fused = (network.state_dict() for network in trained.values())
print("the same start:", all(base[k].equal(fused[k]) for k in base))

# %% [markdown]
# A network without a prior refuses an embedding rather than ignore it, so
# `baseline` gets the same photographs without.

# %%
without = {
    split: data.pack(data.photos("samples", split), 96)
    for split in data.SPLITS
}
given = {"baseline": without, "fusion": packed}
histories = {
    name: training.fit(
        network, given[name]["train"], given[name]["val"], settings,
        device=device,
    )
    for name, network in trained.items()
}
for network in trained.values():
    network.cpu().eval()

# %% mystnb={"figure": {"caption": "The same network with and without a prior, live: one seed, the same crops in the same order. Left: loss on the photographs trained on. Right: loss on the six validation photographs, with the three trivial baselines.", "name": "fig-fusion-curves"}, "image": {"alt": "Two panels with a shared logarithmic axis and two curves each. Left: both curves fall; that of fusion stays below. Right: the curve of baseline is noisy and ends above gray; that of fusion lies below mean colour from the first epoch on, near the line of the nearest photograph, and hardly moves."}}
figures.compare_losses(histories, baselines_val)

# %% [markdown]
# Does the network use its prior at all? We give every test photograph the
# embedding of *another* one (*permutation importance*). If nothing changes,
# the prior is ignored; if the loss rises, it is used.

# %% tags=["nbval-ignore-output"]
test = packed["test"]
swapped = test.with_embeddings(test.embeddings.roll(1, dims=0))
tested = {
    name: training.evaluate(network, given[name]["test"])
    for name, network in trained.items()
}
tested["fusion, another's embedding"] = training.evaluate(
    trained["fusion"], swapped
)
tested |= baselines_test
print(f"{'':28} training  validation  test")
for name, mse in tested.items():
    row = {"val_loss": baselines_val.get(name), "train_loss": None}
    row |= histories[name][-1] if name in histories else {}
    train_loss, val_loss = (f"{row[k]:.3g}" if row[k] else ""
                            for k in ("train_loss", "val_loss"))
    print(f"{name:28} {train_loss:>8}  {val_loss:>10}  {mse:.3g}")

# %%
last = {name: history[-1] for name, history in histories.items()}
base, fusion = last["baseline"], last["fusion"]
print("training, fusion lower by more than a tenth:",
      fusion["train_loss"] < 0.9 * base["train_loss"])
for name, row in last.items():
    print(f"validation, {name} below mean colour:",
          row["val_loss"] < baselines_val["mean colour"])
print("test, fusion below mean colour:",
      tested["fusion"] < tested["mean colour"])
print("test, another's embedding costs more than a tenth:",
      tested["fusion, another's embedding"] > 1.1 * tested["fusion"])

# %% mystnb={"figure": {"caption": "Five test photographs, chosen before training, as the two networks colorize them after the same number of steps.", "name": "fig-fusion-grid"}, "image": {"alt": "Five photographs in rows, four columns: gray, baseline, fusion, photograph. A brick building, a tree on a lawn, the Eiffel Tower, pink and red tulips, a path in a park. Baseline leaves orange and green stains; fusion makes the tulips yellow and orange among green leaves, and leaves most of the rest nearly gray, with paler stains."}}
shown = test.select([1, 2, 5, 8, 9])
truth = shown.lab()
L, _ = lab.normalize(truth)
with torch.no_grad():
    predicted = {
        "baseline": trained["baseline"](L),
        "fusion": trained["fusion"](shown.inputs()),
    }
figures.grid(
    {"gray": figures.gray(truth)}
    | {n: figures.recolour(truth, ab) for n, ab in predicted.items()}
    | {"photograph": truth}
)

# %% [markdown]
# What to read from it, and what not:
#
# - *The network uses its prior.* With the embedding of another photograph
#   its test loss rises to about that of gray, or above.
# - *It is quick.* Before the validation curve of `baseline` has settled,
#   that of `fusion` lies below mean colour. But it lies there from the
#   first epoch on and hardly falls, while the training curve does. It ends
#   near the loss of the nearest photograph's mean colour. By the loss, the
#   network need not have learned more from the prior than the kind of
#   photograph.
# - *The pictures agree.* Neither column is good. `baseline` leaves stains
#   of colour on lawn and sky. `fusion` has fewer and paler ones, by
#   caution: it leaves most of a photograph nearly gray, and keeps colour
#   for the flowers, which turn yellow and orange instead of pink.
# - *It may have memorised.* An embedding tells 32 photographs apart with
#   ease, so part of the lower training loss can come from memorising the
#   colours that go with each. The left panel alone, the only kind of curve
#   that the paper shows, could not tell.
# - *It does not decide whether the prior helps.* This is one seed, a minute
#   of training, and few photographs to judge by. [Chapter
#   7](07-replication.ipynb) has three seeds and thousands of test
#   photographs.

# %% [markdown]
# ## What we decided
#
# :::{table} What the paper leaves open about the prior.
# :name: tbl-prior
#
# | the paper says | we decided | the alternative |
# | --- | --- | --- |
# | Inception-ResNet-v2 | EfficientNet-Lite2: its weights come as a package, so that every page and test runs without a download; a tenth of the size | `priors.Prior(name="inception_resnet_v2")` fetches the paper's own, or `weights=` names a local file |
# | "224x224x1 RGB" | gray, repeated three times; `Prior` takes L | none: the other reading leaks |
# | subtract the mean RGB | as the classifier was trained, from -1 to 1 | `preprocessing="mean"`, as written |
# | 224 pixels | 224, for both classifiers | `size=299`, Inception-ResNet-v2's own; Lite2's own is 260 |
# | "this output" | the 1000 logits | `output="softmax"` or `"pooled"` |
# | "replicating [...] a few times" | once for every position | |
# | "some convolutional kernels" | 1x1, to as many channels as the encoder's map has | |
# :::
#
# Why logits? Softmax turns them into probabilities, hundreds of them
# practically zero; on a gray photograph, where the first choice can be
# wrong, the rest is worth having. Pooled features, from which the logits
# are computed, do not stand for classes.
#

# %% [markdown]
# ## What to remember
#
# - A frozen classifier is given the gray photograph and describes it in a
#   thousand numbers; given colour, it would leak the answer.
# - The fusion layer adds a bias that depends on the photograph and is the
#   same at every position.
# - Pixels prepared in the wrong way raise no error. Look at the spread of
#   the embeddings, and at the classifier's own answers.
# - A frozen network is run once; its answers are kept in a file.
# - Live, the network uses its prior, but its loss is near that of the
#   nearest photograph's mean colour.

# %% [markdown]
# ## Three questions
#
# **1.** The classifier was trained on photographs in colour. Why is it
# nevertheless shown gray ones?
#
# :::{dropdown} Answer
# From a colour photograph its answer depends on the very colours that are
# to be predicted: a leak. A photograph that was gray from the start could
# not give that hint, and the network would fail on it.
# :::
#
# **2.** The fusion layer adds the same numbers at every position. What can
# the prior tell the network, then, and what not?
#
# :::{dropdown} Answer
# What kind of photograph it is, so which colours are likely in it. Not
# where they belong: that is left to the map.
# :::
#
# **3.** A network with a prior has a lower loss than one without. How do
# you find out whether it uses the prior?
#
# :::{dropdown} Answer
# Give each photograph the embedding of another one. If the loss rises, the
# prior is used; if not, it is ignored.
# :::

# %% [markdown]
# ## Exercises
#
# **1.** Continue the toy: what does the layer give in channel 0 at row 0,
# column 1?
#
# :::{dropdown} Solution
# The map holds 1, 5, 9 there: $1 - 5 + 2 \cdot 9 + 30 - 1 = 43$. The last
# two terms are the same as before.
# :::
#
# **2.** Which training photographs does the prior find nearest to each of
# the test photographs? Does taking three of them instead of one help?
#
# :::{dropdown} Solution
# ```python
# distance = torch.cdist(test.embedding(), plain)
# for name, i in zip(test.names, distance.argmin(dim=1)):
#     print(name, "->", packed["train"].names[i])
# three = distance.topk(3, largest=False).indices
# ab = mean[three].mean(dim=1)[:, :, None, None]
# true = lab.normalize(test.lab())[1]
# print(F.mse_loss(ab.expand_as(true), true))
# ```
#
# A little. If you want to know the best number, look for it on
# `packed["val"]`.
# :::
#
# **3.** Train `fusion` with `"trap"`. Which curve does it follow?
#
# :::{dropdown} Solution
# ```python
# trapped = priors.Prior(preprocessing="trap")
# given["trap"] = {
#     split: data.pack(
#         data.photos("samples", split), 96, trapped, mirrored=True
#     )
#     for split in data.SPLITS
# }
# torch.manual_seed(settings.seed)
# network = networks.build("fusion", width=width)
# histories["trap"] = training.fit(
#     network, given["trap"]["train"], given["trap"]["val"], settings
# )
# figures.compare_losses(histories, baselines_val)
# ```
#
# It stays near `baseline`: an embedding that hardly changes can tell it
# hardly anything.
# :::
#
# **4.** Is the order of the two networks the same with another seed? And
# after three times as many epochs?
#
# :::{dropdown} Solution
# Set `seed` and `epochs` in the cell that begins with `SCALE` and run from
# there. With two other seeds, fusion was ahead on training and validation
# photographs again, on the test photographs once, and once level.
# :::
#
# **5.** Give `Prior` the paper's classifier at its own size. (This one
# needs the network.)
#
# :::{dropdown} Solution
# ```python
# paper = priors.Prior(name="inception_resnet_v2", size=299)
# top_classes(paper(lab.normalize(some)[0]))
# ```
#
# It has 1000 logits too, so `networks.build("fusion")` fits as it is.
# :::
