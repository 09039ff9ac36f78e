# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 1 The Lab colour space
#
# A network that colorizes needs two things: an input that a gray photograph
# has, and a target that it lacks. This chapter is about the space in which
# the two are separate channels.
#
# *After this chapter you can* say why colorization is done in Lab and not
# in RGB; convert a photograph to Lab and back, by hand for one pixel and
# with `colorlib` for a batch; say what the network is given and what it
# must predict.
#
# *To run it*: [open it on
# Colab](https://colab.research.google.com/github/colorlib/attention-colorization/blob/main/book/01-lab.ipynb),
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
from skimage.color import rgb2lab

from colorlib import data, lab
from replication.book import figures, widgets

# %% [markdown]
# ## What the paper says
#
# > We are using the Lab colorspace because it is closer to how the human
# > eye's perceives objects and secondly it gives color channels which
# > gives us to chrominance based channels which we will be using as our
# > output prediction channels and the Luminance channel which can be used
# > as the input channel. (section 3.1)
#
# A grayscale photograph says how light each point is, and nothing else.
# In RGB that lightness is spread over all three channels, so a network
# would have to predict three numbers a pixel and get the known part right
# as well. A space with one axis for lightness and two for colour turns
# the problem into the smallest one possible: one channel in, two out.

# %% [markdown]
# ## One photograph, two descriptions
#
# The photographs come from a small data set that installs together with
# this book; [chapter 2](02-photographs.ipynb) introduces it. `Packed.lab`
# hands out a batch of photographs in Lab: a tensor of shape (photographs,
# channels, height, width).

# %%
photos = data.pack(data.photos("samples", "train"), 128)
tulips = photos.names.index("flowers1.png")
photo = photos.lab([tulips])[0]
photo.shape

# %% mystnb={"figure": {"caption": "The same photograph as red, green and blue (top), and as lightness L and the two colour axes a and b (bottom). R, G and B are three versions of one picture. In Lab the picture is in L; a and b hold colour alone, drawn here at a constant lightness.", "name": "fig-channels"}, "image": {"alt": "Eight small pictures of a tulip bed. Top row: the photograph and its red, green and blue channels as gray pictures, all showing the same shapes. Bottom row: the L channel, sharp and gray, and the a, b and joint ab planes, flat and colourful."}}
figures.channels(photo)

# %% [markdown]
# How alike the channels are can be put as a number. Over all training
# photographs, the correlation between red and green, and between L and
# each colour axis:

# %%
def correlation(x, y):
    pair = torch.stack((x.flatten(), y.flatten()))
    return torch.corrcoef(pair)[0, 1].item()


R, G, B = (photos.rgb() / 255).unbind(dim=1)
L, a, b = photos.lab().unbind(dim=1)
for name, x, y in (
    ("R and G", R, G), ("G and B", G, B),
    ("L and a", L, a), ("L and b", L, b),
):
    print(f"{name}: {correlation(x, y):+.2f}")

# %% [markdown]
# Red, green and blue nearly repeat each other; the correlation of lightness
# with colour is weak. ([Chapter 6](06-why-brown.ipynb) tries the best table
# from L to colour, and finds it no better than one constant.) So a network
# that is to find colour in L must use more than one pixel: it must
# recognise what the photograph shows.

# %% [markdown]
# ## From sRGB to Lab, step by step
#
# A file stores sRGB: values that are *gamma-encoded*: spaced about evenly
# for the eye, not in proportion to light. Three steps lead to Lab.
#
# **1. Undo the gamma.** For each channel $u$ in $[0, 1]$,
#
# $$
# u_\text{lin} =
# \begin{cases}
# u / 12.92 & u \le 0.04045 \\
# \left(\dfrac{u + 0.055}{1.055}\right)^{2.4} & \text{otherwise.}
# \end{cases}
# $$ (eq-gamma)
#
# **2. Mix** the linear values **to XYZ**, the *tristimulus values* of the
# CIE's standard observer, and divide by those of white ($X_n, Y_n, Z_n$,
# daylight "D65"):
#
# $$
# \begin{aligned}
# X &= 0.4125 \, R + 0.3576 \, G + 0.1804 \, B \\
# Y &= 0.2127 \, R + 0.7152 \, G + 0.0722 \, B \\
# Z &= 0.0193 \, R + 0.1192 \, G + 0.9502 \, B
# \end{aligned}
# $$ (eq-xyz)
#
# **3. Compress as the eye does**, by $f(t) = \sqrt[3]{t}$ above $t =
# (6/29)^3 = 0.0089$ and the straight line $f(t) = \frac13 (29/6)^2 \, t +
# \frac{4}{29}$ below, and take differences:
#
# $$
# \begin{aligned}
# L &= 116 \, f(Y/Y_n) - 16 \\
# a &= 500 \, [f(X/X_n) - f(Y/Y_n)] \\
# b &= 200 \, [f(Y/Y_n) - f(Z/Z_n)]
# \end{aligned}
# $$ (eq-lab)
#
# Equal $f$ on all three responses means $a = b = 0$: a neutral gray.
# Positive $a$ is red against green, positive $b$ yellow against blue. The
# way back undoes the steps in reverse order: L gives $f(Y/Y_n)$, then a and
# b give the other two.

# %% [markdown]
# One pixel by hand. Pure red has the linear values (1, 0, 0), so XYZ is the
# first column of numbers above. Divided by white, all three are above
# 0.0089, where $f$ is the cube root.

# %%
X, Y, Z = 0.412453 / 0.95047, 0.212671, 0.019334 / 1.08883
fX, fY, fZ = (t ** (1 / 3) for t in (X, Y, Z))
by_hand = (116 * fY - 16, 500 * (fX - fY), 200 * (fY - fZ))
print("by hand :", " ".join(f"{v:.2f}" for v in by_hand))

red = torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1)
values = lab.rgb_to_lab(red).flatten()
print("colorlib:", " ".join(f"{v:.2f}" for v in values))

# %% [markdown]
# ## The whole of sRGB
#
# Which colours are there to predict? {numref}`fig-plane` shows the *gamut*
# of sRGB, the colours that an sRGB screen can make, at four lightnesses.
# The area changes its shape with L: near black and near white there is
# hardly any choice, and a saturated yellow exists only when it is light. So
# L limits the chroma that is possible.

# %% mystnb={"figure": {"caption": "The colours of sRGB in the plane of a and b, at four lightnesses. The white area around them exists in Lab, but no sRGB screen shows it.", "name": "fig-plane"}, "image": {"alt": "Four square plots with axes a and b from -128 to 128. Each shows a coloured patch around the centre, green to the left, red to the right, blue below and yellow above; the patch is largest at medium lightness and small and yellow-green near white."}}
figures.lab_plane([20, 50, 75, 95])

# %% [markdown]
# To get a feeling for it, keep L fixed and move a and b: drag in the plane,
# or use the sliders (arrow keys work too). Then change L, and see the area
# grow and shrink.

# %% tags=["hide-input", "nbval-ignore-output"]
widgets.lab_plane(60)

# %%
steps = torch.linspace(0, 1, 52)
cube = torch.cartesian_prod(steps, steps, steps)
cube = lab.rgb_to_lab(cube.T[:, None])
for name, channel in zip("Lab", cube, strict=True):
    print(f"{name}: {channel.min():8.2f} to {channel.max():7.2f}")

# %% [markdown]
# The paper says that a and b range "from -128 to 128" and multiplies the
# network's output, which a tanh keeps in $[-1, 1]$, by 128. The range of
# sRGB, above, is smaller: 128 leaves some headroom, which a tanh can use,
# because it never quite reaches its ends. We keep the paper's 128.

# %% [markdown]
# ## What the network reads and predicts
#
# `lab.normalize` puts L into $[-1, 1]$ by $L/50 - 1$ and divides a and b
# by 128. It is the only place in the library that knows these numbers;
# `lab.denormalize` is its inverse.

# %%
batch = photos.lab([tulips, photos.names.index("building2-3.png")])
L, ab = lab.normalize(batch)
print("input ", tuple(L.shape), f"{L.min():+.2f} to {L.max():+.2f}")
print("target", tuple(ab.shape), f"{ab.min():+.2f} to {ab.max():+.2f},"
      f" {ab.abs().mean():.2f} in the mean, signs aside")

# %% [markdown]
# Most targets are small: photographs are not made of pure sRGB primaries.
# Keep this in mind for [chapter 3](03-encoder-decoder.ipynb), where
# predicting zero everywhere is hard to beat.

# %% [markdown]
# ## Does the eye notice?
#
# > human eyes are more sensitive to detecting edges by seeking contrast
# > in brightness as compared to seeking contrast between color channel
# > (section 3.1)
#
# Test it on yourself. Shrink a picture to an eighth of its size and
# enlarge it again: once only a and b, once only L.

# %%
def blur(channels):
    interpolate = torch.nn.functional.interpolate
    small = interpolate(channels, scale_factor=1 / 8, mode="area")
    return interpolate(small, scale_factor=8, mode="bilinear")


L, ab = batch[:, :1], batch[:, 1:]
colour_blurred = torch.cat((L, blur(ab)), dim=1)
lightness_blurred = torch.cat((blur(L), ab), dim=1)

# %% mystnb={"figure": {"caption": "Left: two photographs. Middle: only their colour is blurred. Right: only their lightness is blurred, by the same amount.", "name": "fig-blur"}, "image": {"alt": "A tulip bed and an apartment house under a blue sky, three times each. With blurred colour the house looks as before, the tulips are paler and their blue undergrowth is gray; with blurred lightness nearly all detail is gone."}}
figures.grid({
    "photograph": batch,
    "blurred a and b": colour_blurred,
    "blurred L": lightness_blurred,
})

# %% [markdown]
# This makes colorization easier: colour may be coarse as long as L is
# exact, and L is given. (Not as coarse as here, if what is coloured is
# small: the tulips fade.) It is also why most JPEG files keep colour at
# half resolution (*chroma subsampling*), and why our network can predict a
# and b coarsely and enlarge them.
#
# Two mistakes are common: swapping a and b, and flipping the sign of one of
# them.

# %% mystnb={"figure": {"caption": "What two common mistakes look like. A network trained with either of them learns as well, and predicts wrong colours.", "name": "fig-mistakes"}, "image": {"alt": "The tulip bed and the house: as photographed; with a and b swapped, where leaves turn violet, tulips orange and the sky green; with b negated, where leaves turn teal, tulips magenta and the sky orange."}}
figures.grid({
    "photograph": batch,
    "a and b swapped": batch[:, [0, 2, 1]],
    "b negated": batch * torch.tensor([1, 1, -1]).view(3, 1, 1),
})

# %% [markdown]
# ## In batches, with gradients, and as exact as the reference
#
# `colorlib.lab` is ordinary torch code: any leading dimensions, CPU or GPU,
# differentiable. The gradient is finite at white and even at black, where a
# bare cube root has infinite slope. Agreement with scikit-image, and the
# way back:

# %%
rgb = photos.rgb()[:8].float() / 255
ours = lab.rgb_to_lab(rgb)
theirs = torch.from_numpy(rgb2lab(rgb.numpy(), channel_axis=1))
print("within 0.001 of scikit-image:",
      (ours - theirs).abs().max().item() < 1e-3)
print("within 0.0001 after the round trip:",
      (lab.lab_to_rgb(ours) - rgb).abs().max().item() < 1e-4)

ends = torch.tensor([0.0, 1.0]).repeat(3, 1, 1).requires_grad_()
lab.rgb_to_lab(ends).sum().backward()
print("gradient finite at black and white:",
      ends.grad.isfinite().all().item())

# %% [markdown]
# ## What to remember
#
# - Lab has one axis for lightness and two for colour; a grayscale photo
#   *is* its L, and colorization means predicting a and b.
# - Three steps make it: undo the gamma, mix to XYZ, take cube roots and
#   differences.
# - The network reads $L/50 - 1$ and predicts $ab/128$.
# - Colour may be coarse; lightness must be exact.

# %% [markdown]
# ## Three questions
#
# **1.** A photograph is converted to RGB channels and to Lab channels.
# Which of the six would you give to a network that is to colorize gray
# photographs, and which must it predict?
#
# :::{dropdown} Answer
# It is given L, which a gray photograph has. It must predict a and b. From
# RGB, it would have to predict three channels, and the lightness, which is
# known, with them.
# :::
#
# **2.** What does a pixel with $a = b = 0$ look like? And one with $L =
# 100$, $a = 40$?
#
# :::{dropdown} Answer
# The first is a neutral gray of its lightness. The second is outside the
# gamut: at $L = 100$ sRGB has only white ({numref}`fig-plane`).
# :::
#
# **3.** Which may be coarse, L or ab, and what does that allow?
#
# :::{dropdown} Answer
# a and b: the eye resolves edges by lightness. So a network may predict
# colours on a small map, which is enlarged, as long as L stays as it was.
# :::

# %% [markdown]
# ## Exercises
#
# **1.** What are L, a and b of a middle gray, sRGB (0.5, 0.5, 0.5)? Why
# is L not 50?
#
# :::{dropdown} Solution
# `lab.rgb_to_lab(torch.full((3, 1, 1), 0.5))` gives L near 53 and a and b
# within a hundredth of zero. sRGB's gamma is close to the eye's
# compression, but not equal to it. (a and b are not exactly zero because
# the standard's matrix and its white point are rounded separately.)
# :::
#
# **2.** Luma, the gray of television and of `PIL.Image.convert("L")`, is a
# weighted sum of gamma-encoded R, G and B. Is it a function of Lab's L?
#
# :::{dropdown} Solution
# No. Pure blue and a certain dark gray can share their luma and differ in
# L: luma mixes before the gamma is undone, L after. That is why a network
# here is always given Lab's L.
# :::
#
# **3.** Halve the chroma of a photograph without changing its lightness.
#
# :::{dropdown} Solution
# `figures.recolour(batch, lab.normalize(batch)[1] / 2)`: divide a and b by
# two, keep L. [Chapter 6](06-why-brown.ipynb) will meet pictures like this:
# dull colours are what a network predicts when it is not sure.
# :::
