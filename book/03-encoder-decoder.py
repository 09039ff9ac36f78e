# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 3 An encoder and a decoder
#
# This chapter builds the network that all later ones add to, the paper's
# baseline: an encoder makes a small map of a photograph's lightness, and a
# decoder enlarges it to colours. Then we train it.
#
# *After this chapter you can* follow a photograph's L through the network,
# layer by layer, and back to a and b; say what batch normalisation and
# initialisation do for it, and see it; read the loss in Lab units; train
# the network on real photographs, tell learning from overfitting, and judge
# it by photographs that it was not trained on.
#
# *To run it*: [open it on
# Colab](https://colab.research.google.com/github/colorlib/attention-colorization/blob/main/book/03-encoder-decoder.ipynb),
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
import tempfile
import textwrap
from collections import Counter
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from colorlib import data, lab, metrics, networks, training
from colorlib.tool import weights, zoo
from colorlib.tool.pipeline import predict
from replication.book import diagrams, figures

# %% [markdown]
# ## What the paper says
#
# > For the baseline model, we use a regression-based model for
# > colorization the image dataset based on the basic Seq2Seq
# > Encoder-Decoder network. [...] In the encoder network, after each of
# > the convolutional network, we choose to avoid max-pooling the network
# > because that can lead to loss of details in the image [...] during the
# > decoder network process, in order to increase the size of the image, we
# > use upscaling of the image. (section 3.4)
#
# *What we had to guess:* the layers. The paper gives no layer sizes for its
# baseline and refers to a network that is no encoder-decoder (its reference
# 3). We take the encoder and decoder of Deep Koalarization
# ([arXiv:1712.03400](https://arxiv.org/abs/1712.03400)), on which the
# paper's final model builds, so that the later chapters change one thing at
# a time.
#
# *Seq2Seq* is a misnomer: nothing here is a sequence.

# %% [markdown]
# ## Down and up, on a toy
#
# A *strided convolution*, one that moves two pixels at a time, halves the
# picture: it does the work of pooling, with learned weights.
# *Nearest-neighbour upsampling* repeats pixels; a convolution after it can
# smooth the steps.

# %%
picture = torch.arange(64.0).view(1, 1, 8, 8)
down = nn.Conv2d(1, 1, kernel_size=3, stride=2, padding=1)
up = nn.Upsample(scale_factor=2)
print(tuple(picture.shape), "->", tuple(down(picture).shape),
      "->", tuple(up(down(picture)).shape))

# %% [markdown]
# Three strides of two make an eighth. Detail is lost, and the [*receptive
# field*](notation.md#words) of each position grows: the square of the
# photograph on which its values depend. A convolution adds one position on
# each side, and after a stride, a step to the next position is twice as
# wide in the photograph:

# %%
field, step = 1, 1
for channels, stride in networks.PaperEncoder.LAYERS:
    field, step = field + 2 * step, step * stride
    print(f"{channels:4} channels, stride {stride}: receptive field"
          f" {field} x {field} pixels")

# %% [markdown]
# So each position of the small map has a receptive field of 75 x 75 pixels,
# and 256 numbers to describe it. For a position in the middle it covers all
# of a 64 x 64 crop, as used on this page; for one in a corner, two fifths.
# Of a photograph of 256 x 256 it covers less than a tenth. A prior
# ([chapter 4](04-fusion.ipynb)) or attention ([chapter
# 5](05-attention.ipynb)) can add what lies outside. (The paper speaks of a
# "latent space vector"; it is a map, with a place for every eight by eight
# pixels.)

# %% [markdown]
# ## The modules
#
# This is the library's own code, printed from the package. The last layer
# is a part of its own, the *head*.

# %%
for part in (networks.conv, networks.PaperEncoder,
             networks.PaperDecoder, networks.RegressionHead):
    print(inspect.getsource(part))

# %% [markdown]
# What a photograph of 256 x 256 pixels, the paper's size, becomes on its
# way:

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Every layer of the encoder, the decoder and the head, and the shape of what it returns. Each bar is as wide as the layer's map, and its height grows with the root of the channels. Through the encoder the map becomes smaller and channels become more; the decoder goes the other way.", "name": "fig-diagram-encoder-decoder"}, "image": {"alt": "A column of bars that become narrow and high through the convolutions of the encoder, and wide and flat again through those of the decoder; tanh and a last enlargement give ab. Beside each bar stand the layer and its shape."}}
diagrams.encoder_decoder("baseline", size=256)

# %%
def count(module):
    return sum(p.numel() for p in module.parameters())


plain = networks.build("baseline", batch_norm=False)
print(f"encoder {count(plain.encoder):,} weights")
print(f"decoder {count(plain.decoder) + count(plain.head):,} weights,",
      "with the head")
print(f"both, with batch norm {count(networks.build('baseline')):,}")

# %% [markdown]
# Nearly all weights sit in the encoder, where the maps have most channels.

# %% [markdown]
# ## Activation, and an erratum
#
# Every convolution but the last is followed by ReLU,
# $f(x) = \max(0, x)$. The last one needs an output between -1 and 1:
#
# > Tanh activation function is defined as $f(x) = 1 - \tanh^2(z)$
# > (section 3.2)
#
# That is the *derivative* of tanh. It never falls below zero, so a network
# that ended in it could predict no green (a < 0) and no blue (b < 0). We
# take tanh.

# %% mystnb={"figure": {"caption": "The function that the paper names, and the one that it writes down.", "name": "fig-tanh"}, "image": {"alt": "Two curves over z from -4 to 4: tanh rises from -1 to 1; 1 minus tanh squared is a bump between 0 and 1 with its top at z = 0."}}
z = torch.linspace(-4, 4, 201)
figures.lines(
    {"tanh(z)": z.tanh(),
     "1 - tanh²(z), as printed": 1 - z.tanh() ** 2},
    x=z, xlabel="z", ylabel="f(z)",
)

# %% [markdown]
# ## Initialisation
#
# > we deduce that we should use Xavier initializers for the decoder
# > network (section 4.1)
#
# Random first weights decide how large the numbers are that travel
# through the network. Too small, and after a dozen layers nothing is
# left; too large, and tanh saturates. *Xavier* (Glorot and Bengio 2010)
# makes the variance of weights $2 / (f_\text{in} + f_\text{out})$; *He*
# (He et al. 2015) makes it $2 / f_\text{in}$, because ReLU throws half of
# the signal away. ($f$ is the fan: the weights that lead into a number, or
# away from it, nine times the channels.) We use Xavier in the decoder, as
# the paper says, and He in the encoder, of which it says nothing. Below,
# the size of the signal after the 1st, 3rd, 5th and 7th convolution,
# without batch normalisation:

# %%
def signal(initialise, layers=8):
    """Standard deviation after each of a stack of convolutions."""
    torch.manual_seed(0)
    x, sizes = torch.randn(4, 64, 16, 16), []
    for _ in range(layers):
        layer = nn.Conv2d(64, 64, 3, padding=1)
        initialise(layer)
        x = F.relu(layer(x))
        sizes.append(x.std().item())
    return sizes


def small(layer):
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)


with torch.no_grad():
    for name, initialise in (("He", networks.init_he),
                             ("Xavier", networks.init_xavier),
                             ("0.01", small)):
        sizes = signal(initialise)
        print(f"{name:7}", " ".join(f"{s:8.2g}" for s in sizes[::2]))

# %% [markdown]
# From the 1st to the 7th convolution, the small weights lose the signal,
# Xavier nine tenths of it, He less than half. (Zeros that pad the border
# take a little each time.)

# %% [markdown]
# ## Batch normalisation
#
# > we are using the Batch Normalization layer before every layer showing
# > non-linearity apart from the last few layers in the decoder network.
# > Doing so drastically improves the training rate of the systems.
# > (section 3.3)
#
# It takes every channel to mean zero and variance one over the batch and
# all positions, then lets the network choose its own shift and scale:
#
# $$
# y = \gamma \, \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta
# $$ (eq-bn)

# %%
x = 5 + 3 * torch.randn(4, 2, 8, 8, generator=torch.manual_seed(0))
norm = nn.BatchNorm2d(2)
by_hand = x - x.mean(dim=(0, 2, 3), keepdim=True)
variance = x.var(dim=(0, 2, 3), keepdim=True, unbiased=False)
by_hand = by_hand / (variance + norm.eps).sqrt()
print("same as nn.BatchNorm2d:",
      torch.allclose(norm(x), by_hand, atol=1e-5))

# %% [markdown]
# "The last few" could be two or five; we leave it out of the decoder's
# last two convolutions. (While training, $\mu$ and $\sigma$ come from the
# batch; afterwards, from a running average, so that one photograph's
# colours do not depend on its neighbours.)

# %% [markdown]
# ## The loss, and what it means
#
# > $$
# > C(X, \theta) = \frac{1}{2HW} \sum_{k \in a, b} \sum_{i=1}^H
# > \sum_{j=1}^W (X_{ki,j} - \tilde{X}_{ki,j})^2
# > $$
# > (section 4.2)
#
# Over two channels of $H \times W$ pixels, $\frac{1}{2HW}$ is simply the
# mean. In code it is `F.mse_loss` on $ab/128$. Its root times 128 tells
# by how many Lab units a or b is typically off:

# %%
true = torch.tensor([[10.0, -20.0]]).view(1, 2, 1, 1) / 128
guess = torch.tensor([[13.0, -24.0]]).view(1, 2, 1, 1) / 128
loss = F.mse_loss(guess, true).item()
print(f"by hand {(3**2 + 4**2) / 2 / 128**2:.6f}, mse_loss {loss:.6f}")
print(f"in Lab units {metrics.rmse_in_lab(loss):.2f}")

# %% [markdown]
# The *just noticeable difference* of two patches side by side is a distance
# of 2 or 3 units. Gray is off by about 17 units per channel ([chapter
# 2](02-photographs.ipynb)).
#
# The paper says Xavier and leaves the *gain* open, a factor on the weights.
# In the last layer it sets the *output scale*, how large the first outputs
# are. Gain 1 gives saturated random colours; with gain 0.1 the network
# starts near gray:

# %%
photos = data.pack(data.photos("samples", "train"), 64)
L, ab = lab.normalize(photos.lab())
print(f"gray: loss {(ab ** 2).mean():.3g}")
for gain in (1.0, 0.1):
    torch.manual_seed(0)
    network = networks.build("baseline", width=0.25, output_gain=gain)
    with torch.no_grad():
        loss = F.mse_loss(network(L), ab).item()
    print(f"gain {gain}: loss {loss:.3g}")

# %% [markdown]
# It matters. With a large output scale the network first has to unlearn its
# noise. It does so by predicting one mean colour everywhere, and in our
# trials on these photographs it stayed there for half of its time. From
# here on the gain is 0.1 (exercise 3 looks at the difference).

# %% [markdown]
# ## First, overfit four photographs
#
# > we have to first check whether our model is working. In order to do
# > that, we train the model over a very small amount of images and try to
# > overfit it. (section 4.1)
#
# A network *overfits* when its loss on the photographs that it is trained
# on falls and its loss on others does not. Here that is wanted: if the
# network cannot memorise four photographs, the code probably has a mistake.
# We train it at a quarter of full width, with and without batch
# normalisation.

# %%
wanted = ("flowers4.png", "road.png", "walls-l.png", "tomato_35.png")
four = photos.select([photos.names.index(name) for name in wanted])
steps = training.Settings(epochs=120, batch_size=4)
overfit, losses = {}, {}
for name, batch_norm in (("with", True), ("without", False)):
    torch.manual_seed(0)
    overfit[name] = networks.build(
        "baseline", width=0.25, batch_norm=batch_norm
    )
    history = training.fit(overfit[name], four, four, steps)
    losses[name] = [row["train_loss"] for row in history]

# %% tags=["nbval-ignore-output"]
for name, curve in losses.items():
    print(f"{name + ' batch norm':19}",
          "after 1, 10, 60, 120 steps:",
          " ".join(f"{curve[i]:.4f}" for i in (0, 9, 59, 119)))

# %%
mean = metrics.trivial_baselines(four, four)["mean colour"]
print("after 10 steps, with below half of without:",
      losses["with"][9] < losses["without"][9] / 2)
print("after 120 steps, both below a fifth of mean colour:",
      max(losses["with"][-1], losses["without"][-1]) < mean / 5)

# %% mystnb={"figure": {"caption": "Overfitting four photographs: training loss with and without batch normalisation; same seed, same learning rate.", "name": "fig-overfit"}, "image": {"alt": "Two falling curves on a logarithmic axis over 120 steps."}}
figures.lines(
    {f"{name} batch norm": curve for name, curve in losses.items()},
    x=range(1, 121), xlabel="step",
    ylabel="training loss", log=True,
)

# %% mystnb={"figure": {"caption": "The four photographs as the overfitted network predicts them. It has memorised these four: the test shows that gradients flow and that a and b end up where they belong, and nothing more.", "name": "fig-overfit-grid"}, "image": {"alt": "Four photographs, each in gray, as predicted by the network, and in true colour: tulips, a road under a blue sky, a brick house, a tomato. Predicted and true colours are close."}}
truth = four.lab()
L, _ = lab.normalize(truth)
with torch.no_grad():
    predicted = overfit["with"].eval()(L)
figures.grid({
    "gray": figures.gray(truth),
    "overfitted": figures.recolour(truth, predicted),
    "photograph": truth,
})

# %% [markdown]
# ## Then train on more photographs
#
# Now overfitting is to be avoided, and the validation photographs matter. A
# network that is shown 32 photographs again and again memorises them.
# [*Data augmentation*](notation.md#words) delays this: each visit shows
# another part of the photograph at another scale, its mirror image, another
# exposure. It leaves a and b of each pixel as they are, so the targets
# remain true.
#
# > Further we try to choose the learning rate to start out and realise
# > that the learning rate of 0.001 was giving the best results. We chose
# > the Adam optimizer to train our network (section 4.1)
#
# So: Adam, 0.001. This is the library's step of training: given the target
# `ab`, the network returns its loss; `backward` computes the gradient;
# `optimizer`, which is Adam, changes the weights. (`inputs` holds L and, from
# [chapter 4](04-fusion.ipynb) on, what a prior sees; `share` is for several
# GPUs.)

# %%
print(inspect.getsource(training.update))

# %% [markdown]
# A pass over all photographs is an *epoch*. `given` are the batches of
# augmented photographs, and `step` is `update` with its first three arguments
# given. (`average`, a running mean of the weights, is off here.)

# %%
print(inspect.getsource(training.train_epoch))

# %% [markdown]
# The network is a quarter of full width and takes 64 x 64 pixels, so that a
# minute on two CPU cores is enough to learn something. In the settings
# below, `repeats=16` lets an epoch visit each photograph 16 times, 64 steps
# of 8 crops; `scale=0.3` cuts crops whose side is between 0.3 and all of
# the photograph's; `exposure` makes them lighter or darker; `cosine` lets
# the learning rate decay from 0.001 to zero along half a cosine. Validation
# photographs are taken whole and unaltered. On Colab, choose a GPU and
# change one constant.

# %%
SCALE = "seconds"  # "minutes": full width, on a Colab GPU
width, epochs = {"seconds": (0.25, 50), "minutes": (1.0, 200)}[SCALE]
device = training.auto_device() if SCALE == "minutes" else "cpu"
packed = {
    split: data.pack(data.photos("samples", split), size)
    for split, size in (("train", 96), ("val", 64), ("test", 64))
}
settings = training.Settings(
    epochs=epochs, repeats=16, batch_size=8, cosine=True,
    crop=64, scale=0.3, flip=True, exposure=0.8, seed=0,
)

# %%
torch.manual_seed(settings.seed)
network = networks.build("baseline", width=width)
run = Path(tempfile.mkdtemp())
history = training.fit(
    network, packed["train"], packed["val"], settings, run, device
)
print(*sorted(file.name for file in run.glob("[!.]*")))

# %% mystnb={"figure": {"caption": "The live run: loss on the training photographs and on the validation photographs. Dashed and dotted: the trivial baselines, gray and mean colour, on the same validation photographs.", "name": "fig-live-curves"}, "image": {"alt": "Two panels with a shared logarithmic axis. Left: the training loss falls steadily. Right: the noisy validation loss falls below the dashed line for gray, dips below the dotted line for mean colour, and ends between the two."}}
baselines_val = metrics.trivial_baselines(
    packed["train"], packed["val"]
)
figures.loss_curves(history, baselines_val)

# %% [markdown]
# The two panels do not measure the same: left altered crops, while the
# weights move; right whole photographs, with the weights at the epoch's
# end. The paper shows the left panel only (its figures 5 and 6). A network
# that overfits would look just as good there. On the right the curve is
# noisy, and only its best epochs lie below mean colour. It stops improving
# while the left one falls: from there on, more training is overfitting. So
# we keep the weights of the epoch with the lowest validation loss ([*early
# stopping*](notation.md#words); here the run goes to its end all the same).
# Because the six photographs have now been used to choose, results are
# reported on ten others, the test photographs.

# %% [markdown]
# ## Where the same network ends up
#
# Ninety seconds are a beginning. The weights `baseline` that come with the
# library are of the same network at full width, trained in stages on these
# photographs and on others: sea and sky, open country, and the training part of the 962
# ImageNet photographs, one a class. (A number behind a data set says how
# often an epoch visits it.) The weights file records where they come from:

# %%
shipped_file = zoo.find("baseline")
stages = [weights.read_about(shipped_file)]
while isinstance(stages[0]["init"], dict):
    stages.insert(0, stages[0]["init"])
for i, stage in enumerate(stages, 1):
    how = stage["settings"]
    print(f"{i}. {stage['size']} pixels, {how['epochs']} epochs,",
          f"best {stage['epoch']}; on {stage['device']}")
    visits = dict(Counter(stage["data"]))
    print(textwrap.fill(f"photographs: {visits}", 72,
                        initial_indent="   ", subsequent_indent="   "))

# %% tags=["nbval-ignore-output"]
live = weights.load_weights(run / "best.safetensors")
shipped = weights.load_weights(shipped_file)
test = packed["test"]
test_loss = metrics.trivial_baselines(packed["train"], test)
test_loss["this page, live"] = training.evaluate(live, test)
test_loss["shipped weights"] = training.evaluate(shipped, test)
for name, mse in test_loss.items():
    units = metrics.rmse_in_lab(mse)
    print(f"{name:16} {mse:.3g}  {units:.3g} Lab units")

# %%
best = min(row["val_loss"] for row in history)
print("live, validation loss below mean colour:",
      best < baselines_val["mean colour"])
print("live, test loss below mean colour:",
      test_loss["this page, live"] < test_loss["mean colour"])
print("shipped, test loss below 0.8 of mean colour:",
      test_loss["shipped weights"] < 0.8 * test_loss["mean colour"])

# %% mystnb={"figure": {"caption": "The ten test photographs, none of which either network was trained on. Both networks take 64 x 64 pixels; their colours are enlarged to the photograph's size and joined to its own lightness. Second column: the network that this page has just trained. Third column: the shipped weights, same network, full width, trained for longer on more photographs.", "name": "fig-live-grid"}, "image": {"alt": "Ten photographs in rows, four columns: gray, the live network's colours, the shipped weights' colours, and the photograph itself."}}
truth = data.pack(data.photos("samples", "test"), 192).lab()
L, _ = lab.normalize(truth)
figures.grid({
    "gray": figures.gray(truth),
    "live, seconds": figures.recolour(truth, predict(live, L, 64)),
    "shipped": figures.recolour(truth, predict(shipped, L, 64)),
    "photograph": truth,
})

# %% [markdown]
# Look at the pictures before you trust the number. The live network,
# trained on these 32 photographs and nothing else, has learned that leaves
# are rather green. It adds wrong stains of green, orange or red (which ones
# depends on the machine that trained it), and has not learned that skies
# are blue. The shipped weights were trained on more skies, and predict them
# blue; leaves near the camera are olive, duller than the photograph's;
# trees and lawn below the Eiffel Tower stay a grayish brown, brick too, and
# flowers turn olive like their leaves. The squared error rewards just that
# caution: where several colours are likely, their mean costs least. Later
# chapters ask whether a global prior and attention can tell more colours
# apart.

# %% [markdown]
# ## What to remember
#
# - Three strides make a map of an eighth of the photograph's size; nearly
#   all weights sit in the encoder that makes it.
# - tanh, not its derivative, at the end; batch normalisation nearly
#   everywhere; He in the encoder, Xavier in the decoder, with a last layer
#   that starts with a small output scale.
# - The loss is the mean squared error of $ab/128$; its root times 128
#   reads in Lab units.
# - Overfitting a few photographs shows that the code works, validation
#   photographs show that the network learns.
# - Few photographs need data augmentation: other scales, mirror images,
#   exposures.
# - Next to every loss stand two trivial baselines: gray and mean colour.

# %% [markdown]
# ## Three questions
#
# **1.** A 3x3 convolution with stride 2 is followed by a 3x3 convolution
# with stride 1. What is the receptive field of a position of the result?
#
# :::{dropdown} Answer
# The first has 3 x 3. A step of the second is two pixels wide, and it adds
# one step on each side: $3 + 2 \cdot 2 = 7$, so 7 x 7.
# :::
#
# **2.** The training loss falls from epoch to epoch, the validation loss
# rises. What is this called, and what helps?
#
# :::{dropdown} Answer
# Overfitting. Keep the weights of the best epoch (early stopping), augment
# the photographs, or find more of them.
# :::
#
# **3.** Why does a low loss on four photographs show that the code works,
# and nothing else?
#
# :::{dropdown} Answer
# The network has memorised them. So gradients flow, and a and b end up
# where they belong. Whether it has learned anything about other
# photographs, only other photographs tell.
# :::

# %% [markdown]
# ## Exercises
#
# **1.** How many weights has the encoder's first convolution, and how many
# its largest? (No batch normalisation; count the biases.)
#
# :::{dropdown} Solution
# A 3x3 convolution has $9 \, n_\text{in} \, n_\text{out}$ weights and
# $n_\text{out}$ biases: $9 \cdot 1 \cdot 64 + 64 = 640$ in the first,
# $9 \cdot 512 \cdot 512 + 512 = 2{,}359{,}808$ in the seventh.
# `[count(convolution) for convolution in plain.encoder]` lists them all.
# :::
#
# **2.** What is the lowest loss that a network could reach on the training
# photographs if it ended in $1 - \tanh^2$, as printed?
#
# :::{dropdown} Solution
# It predicts 0 at best wherever a or b is negative:
#
# ```python
# ab = lab.normalize(photos.lab())[1]
# print(ab.clamp(max=0).pow(2).mean(), ab.pow(2).mean())
# ```
#
# The first number is what remains, the second is the loss of gray: skies
# stay gray for ever, and lawns turn ochre; their yellow can be predicted,
# their green cannot.
# :::
#
# **3.** Train live with `output_gain=1.0`, all else equal, and compare the
# validation curves.
#
# :::{dropdown} Solution
# ```python
# torch.manual_seed(settings.seed)
# large = networks.build("baseline", width=width, output_gain=1.0)
# large_history = training.fit(
#     large, packed["train"], packed["val"], settings
# )
# figures.lines(
#     {"gain 0.1": [row["val_loss"] for row in history],
#      "gain 1.0": [row["val_loss"] for row in large_history]},
#     x=range(1, epochs + 1), xlabel="epoch",
#     ylabel="validation loss", log=True,
# )
# ```
#
# When we tried, the network with gain 1 stayed near the loss of mean colour
# for many epochs before it began to learn.
# :::
#
# **4.** Take away one kind of augmentation (`scale=None`, `flip=False` or
# `exposure=0.0`) and train again. Which one matters most for the validation
# loss? Judge by `packed["val"]`; leave the test photographs alone until you
# have chosen.
#
# :::{dropdown} Solution
# Replace the settings with `dataclasses.replace(settings, exposure=0.0)`
# and so on, and compare `history[-1]["val_loss"]`. Repeat with another seed
# before you believe a small difference: six validation photographs are few.
# :::
