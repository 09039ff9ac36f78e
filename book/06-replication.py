# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 6 The replication
#
# *What you will be able to do:* read the paper's two curves and its picture
# grid beside our own; say which network colours unseen photographs better,
# and how sure that is; re-run any row with one command. *Runs in* a quarter
# of a minute on two CPU cores: the training has been done before, and its
# results are read here.

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
import numpy as np
import torch

from colorlib import experiments, metrics
from colorlib.book import figures
from colorlib.experiments import claims

# %% [markdown]
# ## What the paper shows
#
# > In the following figure, we see some examples of how our models works
# > in colorizing gray-scale images as compared to the baseline model.
# > (section 5)
#
# > And in the Figure 5 we see the MSE loss over the training data, and
# > Fig 6 gives us the MSE loss for the baseline model (section 5)
#
# *What it says:* one figure of pictures, two curves of training loss, and
# the words "slightly better". *What we had to guess:* which data set the
# curves come from, how long training went on, how the pictures were chosen.
# *What we ran:* six networks and two [trivial baselines](notation.md#words)
# on four data sets with three seeds, all with the same budget, every
# network judged by test photographs.

# %%
SCALE = claims.scale()  # the largest scale that is complete
found = experiments.recorded(experiments.RESULTS, SCALE)
plan = experiments.declared()["scales"][SCALE]
variants = list(experiments.declared()["variants"])
runs = {name: found[name] for name in plan["data"]}
titles = {
    "samples": "samples", "coast": "coast",
    "open-country": "open country", "open-country-64": "open country",
    "imagenet_sample256": "ImageNet",
}
titles |= {name: name for name in runs if name not in titles}
kinds = [titles[name] for name in runs]
# The paper's class: its photographs or their thumbnails.
country = next(n for n in runs if titles[n] == "open country")
print(f"{plan['size']} x {plan['size']} pixels,",
      f"width {plan['width']}, {plan['seeds']} seeds,",
      f"{plan['settings']['epochs']} epochs,",
      f"batches of {plan['settings']['batch_size']}")
figures.table(
    ("photographs", "training", "validation", "test"),
    [(titles[name], *(rows["gray"][0]["photos"][split]
                      for split in ("train", "val", "test")))
     for name, rows in runs.items()],
    "The data sets of the replication.", "tbl-sets",
)

# %%
def made_by(runs):
    """Print what the runs were made with, and how many there are."""
    everything = [run for rows in runs.values()
                  for seeds in rows.values() for run in seeds]
    for key in ("device", "torch", "commit"):
        values = {run[key] for run in everything}
        print(f"{key}: {', '.join(sorted(values))}")
    print(len(everything), "runs")


made_by(runs)

# %% [markdown]
# This is the *minutes* scale: photographs a quarter as wide as the paper's,
# networks of half the width. It is what two CPU cores can do in a few
# hours. Everything on this page is read from the recorded runs under
# `results/`. The last sections show what a GPU has recorded: some rows at
# the paper's own size, and a whole scale with as many photographs. The four
# data sets are *samples* (parks, flower beds and towers; the photographs
# that come with the library),
# *coast* and *open country* of the MIT CVCL collection, and *ImageNet*, one
# photograph each of 962 of its classes. The runs counted above are the rows
# below on all four, with every seed, and those with one change more, on
# *coast*, that chapter 7 judges. The rows:
#
# - *gray* and *mean colour*, the trivial baselines: no network; the second
#   predicts the mean colour of the training photographs everywhere;
# - *baseline* (chapter 3), *fusion* (chapter 4), *attention* (chapter 5);
# - *fusion* and *attention* once more, *with coordinates* (chapter 5);
# - *control*: attention's layers, but each position attends to itself alone
#   (chapter 5).
#
# An epoch's weights are kept if no epoch before had a lower loss on the
# *validation* photographs; those weights are scored once on the *test*
# photographs. Nothing was chosen by them.

# %% [markdown]
# ## The paper's figures 5 and 6
#
# First as the paper draws them: the training loss, one curve for the model
# with attention and one for the baseline, here on *open country*, the
# paper's class, and the mean over the seeds.

# %% mystnb={"figure": {"caption": "The paper's figures 5 and 6, in one: loss on the training photographs of open country, by epoch, mean over the seeds.", "name": "fig-paper-curves"}, "image": {"alt": "Two falling curves over 30 epochs that cross twice in the first ten; from the ninth epoch on the baseline's lies below that of attention, and ends about a quarter lower."}}
def losses(seeds, column="train_loss"):
    """The curves of several seeds, (seeds, epochs)."""
    return np.array([[row[column] for row in run["history"]]
                     for run in seeds])


epochs = range(1, plan["settings"]["epochs"] + 1)
figures.lines(
    {name: losses(runs[country][name]).mean(axis=0)
     for name in ("attention", "baseline")},
    epochs, "epoch", "training loss, squared error of ab / 128",
)

# %% [markdown]
# Both fall, and here it is the baseline's that falls further. Read as the
# paper reads its figures, the baseline has won, on the paper's own kind of
# photographs. (Its curves cannot be compared with ours number by number:
# their unit, data and length are not given.)
#
# Now with what the paper does not show: the loss on validation photographs,
# and the networks in between.

# %% mystnb={"figure": {"caption": "Loss on the training and on the validation photographs of open country. Lines are means over the seeds, bands reach from the lowest to the highest seed. Dashed: mean colour.", "name": "fig-both-curves"}, "image": {"alt": "Two panels with a shared logarithmic axis. Left: four training losses fall by a factor of five or more; baseline and control end lowest, fusion and attention a fifth to a third higher. Right: four validation losses run level and entangled from the second epoch to the last, below the dashed line for mean colour."}}
four = ("baseline", "fusion", "attention", "control")


def curves(rows):
    """Losses of four networks, with that of mean colour."""
    return figures.compare_seeds(
        {name: [run["history"] for run in rows[name]]
         for name in four},
        {"mean colour":
         rows["mean-colour"][0]["mean_colour"]["val"]},
    )


curves(runs[country])

# %% [markdown]
# Left, baseline and control memorise their training photographs faster than
# the other two. Right, after the first few epochs all four run level on
# validation photographs, whatever happens on the left, and the bands of the
# seeds overlap all the way. The left panel tells how well a network
# memorises a few hundred photographs. About colorizing others it tells next
# to nothing.
#
# The same as numbers, for all data sets: the training loss of the last
# epoch, the lowest validation loss, and the epoch where it was lowest,
# means over the seeds. The unit is a thousandth of the squared error of ab
# / 128.

# %%
def ends(seeds):
    """Last training loss, lowest validation loss, its epoch."""
    last = 1000 * losses(seeds)[:, -1].mean()
    best = 1000 * np.mean([run["val_loss"] for run in seeds])
    when = np.mean([run["epoch"] for run in seeds])
    return f"{last:.3g} / {best:.3g} ({when:.0f})"


figures.table(
    ("loss x 1000", *kinds),
    [(variant, *(ends(rows[variant]) for rows in runs.values()))
     for variant in variants],
    "Training loss of the last epoch / lowest validation loss (its"
    " epoch); means over the seeds.", "tbl-losses",
)

# %% [markdown]
# The lowest training loss belongs to the control or to the baseline on
# every data set. (Attention's is lower than the baseline's on ImageNet;
# there, the paper's two figures would look as they do in the paper.) The
# lowest validation loss belongs to four different rows, and never by much.
# On ImageNet the best epoch is among the first, and all later ones overfit.
# On the other data sets it may be an early one or a late one, since the
# curve runs level.

# %% [markdown]
# ## Test photographs
#
# So that data sets can be compared, the error is given as a share of that
# of *mean colour*: 100 means that the network predicts no better than one
# colour everywhere. In brackets the lowest and the highest seed.

# %%
def error(seeds):
    """ab-MSE on the test photographs, one value a seed."""
    return np.array([np.mean(run["scores"]["ab_mse"])
                     for run in seeds])


def share(rows, variant):
    """Error in % of mean colour: mean (lowest-highest seed)."""
    values = 100 * error(rows[variant]) / error(rows["mean-colour"])
    if len(values) == 1:
        return f"{values[0]:.0f}"
    return (f"{values.mean():.0f}"
            f" ({values.min():.0f}-{values.max():.0f})")


def percents(names, caption, name, variants=variants, runs=runs):
    """A table: a row a variant, a column a data set."""
    return figures.table(
        ("% of mean colour", *(titles[n] for n in names)),
        [(variant, *(share(runs[n], variant) for n in names))
         for variant in variants], caption, name,
    )


mean = [f"{1000 * error(rows['mean-colour'])[0]:.3g}"
        for rows in runs.values()]
print("mean colour itself, x 1000:", *mean)
percents(runs, "Error on the test photographs in percent of that of one"
         " constant colour: mean (lowest-highest) of the seeds.",
         "tbl-test", ("gray", *variants))

# %% [markdown]
# On *coast* every network removes about a quarter of the error, on *open
# country* two fifths: seas and skies are blue, and that can be learned from
# a few hundred photographs. On ImageNet no network is clearly better than
# one constant colour, with or without a prior, with or without attention.
# And but for *samples*, where the baseline stays behind, the seeds of one
# row differ by about as much as the rows do.
#
# Which of these differences are more than chance? For two networks we take
# the difference of their errors on each test photograph, and ask how much
# its mean would vary with other photographs and other seeds. The variances
# of both add up, and Student's t gives the interval (`experiments.difference`
# says how), which is wide where seeds are few. The comparison is *paired*:
# both networks are judged on the same photographs, so that easy and hard
# ones cancel out. An interval left of zero says that the first network is
# better on photographs of this kind.

# %% mystnb={"figure": {"caption": "Differences of error on the test photographs, in percent of the second network's error, with 95 % intervals. Left of zero, blue: the first network is better. Right, red: the second. Gray: undecided.", "name": "fig-differences"}, "image": {"alt": "Four panels, six intervals each, all of them gray and across zero. The intervals are widest for samples and coast, over 40 per cent, and narrowest for ImageNet, most of them some 12 per cent wide."}}
pairs = {
    "fusion - baseline": ("fusion", "baseline"),
    "attention - baseline": ("attention", "baseline"),
    "attention - fusion": ("attention", "fusion"),
    "attention - control": ("attention", "control"),
    "fusion: with - without xy": ("fusion-coordinates", "fusion"),
    "attention: with - without xy":
        ("attention-coordinates", "attention"),
}


def percent(rows, one, other):
    base = error(rows[other]).mean()
    return tuple(100 * value / base for value in
                 experiments.difference(rows[one], rows[other]))


def compared(runs, pairs=pairs):
    """Data set -> pair -> difference in percent, with its interval."""
    return {
        titles[name]: {pair: percent(rows, one, other)
                       for pair, (one, other) in pairs.items()}
        for name, rows in runs.items()
    }


differences = compared(runs)
figures.intervals(differences, "difference of error in percent")

# %%
def in_numbers(differences, caption, name):
    """A table: a row a pair, a column a data set."""
    pairs = next(iter(differences.values()))
    return figures.table(
        ("difference in %", *differences),
        [(pair, *("{} [{}, {}]".format(*map(round, rows[pair]))
                  for rows in differences.values())) for pair in pairs],
        caption, name,
    )


in_numbers(differences, "The same in numbers: mean difference"
           " [95 % interval].", "tbl-differences")

# %%
all_intervals = [interval for rows in differences.values()
                 for interval in rows.values()]
print(sum(high < 0 for _, low, high in all_intervals), "better,",
      sum(low > 0 for _, low, high in all_intervals), "worse, of",
      len(all_intervals))

# %% [markdown]
# None of the 24 intervals excludes zero. Not one of the paper's steps, the
# prior, attention or coordinates, makes a difference on test photographs
# that we can tell from chance. The nearest to one is the prior on
# *samples*, which has only ten test photographs.
#
# What might we have overlooked? The intervals say it: on ImageNet a
# difference of a tenth, on *open country* of a fifth, on *coast* of more
# than a quarter, on *samples* of more than a third. So
# attention may well be somewhat better or worse than its rivals. "Definitely
# better" (section 6) is more than these photographs can show.

# %% [markdown]
# ## More than one number
#
# Chapter 8 shows what each metric rewards; here they are for *coast*, means
# over test photographs and seeds. *PSNR* (in dB) and *SSIM* compare the RGB
# pictures; *dE00* is the colour difference CIEDE2000, in Lab units;
# *colourf.*, colourfulness, is an amount, of which more is not better;
# *chroma* is the mean chroma of the prediction over the photograph's own,
# here its median over photographs, since one that is nearly gray makes the
# ratio very large.

# %%
shown = ("ab_mse", "psnr_rgb", "ssim_rgb", "delta_e", "colourfulness",
         "chroma_ratio")
heads = ("ab-MSE", "PSNR, dB", "SSIM", "dE00", "colourf.",
         "chroma")
digits = (4, 1, 3, 1, 1, 2)
rows = []
for variant in ("gray", "mean-colour", *variants):
    row = [
        (np.nanmedian if metric == "chroma_ratio" else np.mean)(
            [run["scores"][metric] for run in runs["coast"][variant]]
        ) for metric in shown
    ]
    rows.append((variant, *(
        f"{v:.{d}f}" for v, d in zip(row, digits, strict=True))))
figures.table(
    ("coast", *heads), rows, "Six metrics on the test photographs of"
    " coast; higher is better for PSNR and SSIM.", "tbl-metrics")

# %% [markdown]
# By another metric, another network is best: the control by squared error,
# attention by dE00, fusion and attention, level, by PSNR. Attention
# predicts the most chroma, the control the least; that may be what section
# 5 calls "aesthetically pleasing". And no network reaches the SSIM of plain
# gray. An order of networks that depends on the metric, and that no
# interval supports, decides nothing.

# %% [markdown]
# ## The paper's figure 4
#
# Pictures, chosen by rule: the first, the middle and the last photograph of
# the published test lists, colorized by the networks of the first seed.

# %% mystnb={"figure": {"caption": "The paper's figure 4, ours: the first, middle and last test photograph of open country and of the ImageNet sample, 64 x 64 pixels, first seed.", "name": "fig-predicted"}, "image": {"alt": "Six rows: a red desert under a deep blue sky, a bush in autumn, a wide plain, two magpies on grass, a lighthouse in brown tones, chestnuts. In the columns of the four networks skies are blue and all ground is olive gray; the last three photographs stay nearly gray."}}
def show_three(scale, *names):
    """Three test photographs of each data set, a column a network."""
    def column(variant, which):
        return torch.cat([
            experiments.pictures(
                experiments.Run(scale, name, variant, 0)
            )[which][:3] for name in names
        ])

    return figures.grid(
        {"gray": column("baseline", "gray")}
        | {name: column(name, "predicted") for name in four}
        | {"photograph": column("baseline", "photograph")}
    )


show_three(SCALE, country, "imagenet_sample256")

# %% [markdown]
# Skies are blue in all four columns, the ground is olive gray in all four.
# The red of the desert, the autumn bush and the lawn are missed by all, and
# the ImageNet photographs stay nearly gray. The four networks differ less
# from each other than all of them from the photograph.
#
# And the attention network at its best, its median and its worst, by the
# error of each test photograph:

# %% mystnb={"figure": {"caption": "Attention, first seed: its best, median and worst test photograph of each data set, from above samples, coast, open country and ImageNet. In brackets the photographs themselves.", "name": "fig-best-worst"}, "image": {"alt": "Four rows. Best: a building, a blue sea, a meadow under clouds, a fox at night, all colorized much like the photographs. Median: the Eiffel Tower with a gray instead of a blue sky, a golden sunset turned orange, bushes at a road, a ram in gray. Worst: pink tulips turned olive, a violet dusk turned orange, a yellow hill turned bluish white, red masks in gray."}}
columns = {}
for i, kind in enumerate(experiments.PREDICTED[3:], start=3):
    for which in ("predicted", "photograph"):
        title = kind if which == "predicted" else f"({kind})"
        columns[title] = torch.stack([
            experiments.pictures(
                experiments.Run(SCALE, name, "attention", 0)
            )[which][i] for name in runs
        ])
figures.grid(columns)

# %% [markdown]
# The best are photographs with little colour, or blue seas; the worst are
# the colourful ones, and some of their colours are wrong rather than
# missing: a violet dusk is colorized as a sunset, a yellow hill as if it
# lay under snow. The gray picture alone does not tell.

# %% [markdown]
# ## Upside down
#
# Coordinates tell a network where in the picture it is: skies are above.
# If it uses that, it must go wrong when the photograph is turned upside
# down, and not when it is mirrored. The error on turned test photographs,
# in percent of the error on upright ones:

# %%
def turned(seeds):
    """Error mirrored / upside down, in percent of that on upright."""
    cells = []
    for where in ("mirrored", "upside-down"):
        there = [run["elsewhere"][where]["ab_mse"] for run in seeds]
        ratio = np.mean(there) / error(seeds).mean()
        cells.append(f"{100 * ratio:.0f}")
    return " / ".join(cells)


figures.table(
    ("% of upright", *kinds),
    [(variant, *(turned(rows[variant]) for rows in runs.values()))
     for variant in ("fusion", "fusion-coordinates",
                     "attention", "attention-coordinates")],
    "Error on test photographs mirrored / upside down, in percent of"
    " that on the same photographs upright.", "tbl-turned",
)

# %% [markdown]
# A mirror costs next to nothing: left and right are alike to these
# networks. Upside down costs a lot where there are skies, more than twice
# the error on *open country*. But it costs networks *without* coordinates
# as much as those with, on *samples* even more. So they too use what is
# above; the border's padding, and what lies beside what, could tell them
# (see also chapter 10). That coordinates add nothing new would explain the
# intervals above.

# %% [markdown]
# ## Trained narrow, tested broad
#
# > we will be testing the model in two ways, first, in which we will be
# > training and testing the model over images which are similar, and
# > second, where we will check how it performs over the entire dataset
# > (section 3.6)
#
# Each network was also tested on the other data sets' test photographs.
# Below is the error of the paper's three: rows tell what they were trained
# on, columns what they were tested on, in percent of what one constant
# colour does, the mean of the training photographs of the column's own data
# set.

# %%
def matrix(variant):
    """Rows: trained on; columns: tested on; share of mean colour."""
    table = np.zeros((len(runs), len(runs)))
    for i, rows in enumerate(runs.values()):
        for j, (name, there) in enumerate(runs.items()):
            scores = [
                run["scores"] if i == j else run["elsewhere"][name]
                for run in rows[variant]
            ]
            mean = np.mean([np.mean(s["ab_mse"]) for s in scores])
            table[i, j] = mean / error(there["mean-colour"])[0]
    return 100 * table


figures.table(
    ("trained on", *(f"tested on {kind}" for kind in kinds)),
    [(f"{titles[name]}, {variant}", *(f"{v:.0f}" for v in row))
     for variant in ("attention", "fusion", "baseline")
     for name, row in zip(runs, matrix(variant), strict=True)],
    "Trained on one kind of photographs, tested on another; error in"
    " percent of mean colour.", "tbl-other-data",
)

# %% [markdown]
# On the diagonal, where training and test are of one kind, *coast* and
# *open country* are far ahead of ImageNet, as the paper says of narrow data
# sets. (*Samples* is narrow too, but small; its baseline does worse than
# one constant colour.) Off the diagonal, a network trained on coasts or on
# open country is nearly always worse than one constant colour, and up to
# twice as bad on ImageNet. The network trained on ImageNet is near 100 on
# all but *coast*: its predictions are cautious, less wrong than the others'
# and no better than one colour. So "a better result" is one on photographs
# of the same kind.

# %% [markdown]
# ## What positions attend to
#
# Chapter 5 found that in a small network all positions of a photograph
# attend to nearly the same places. These networks have had more photographs
# and more time. Again we measure the [total variation
# distance](notation.md#words) of each position's weights: to uniform
# weights, and to the mean of all positions of its photograph. Means over
# test photographs and seeds.

# %%
def total_variation(seeds):
    """To uniform / to the mean of all positions, over the seeds."""
    means = (np.mean([run["attention_distance"][to] for run in seeds])
             for to in ("from_uniform", "between_positions"))
    return " / ".join(f"{mean:.3f}" for mean in means)


figures.table(
    ("total variation", *kinds),
    [(variant, *(total_variation(rows[variant])
                 for rows in runs.values()))
     for variant in ("attention", "attention-coordinates")],
    "Total variation distance of attention weights to uniform weights"
    " / to the mean of all positions.", "tbl-attention-distance",
)

# %% [markdown]
# The weights are not uniform: their distance from uniform is up to a third.
# But three quarters of that or more are shared by the positions. The
# weights of one position differ from the mean of all by a few per cent. So
# attention has become, nearly, one weighted average of the photograph, the
# same for all its positions: a second global vector beside the prior's. It
# does little to "distinguish better between the objects inside the images"
# (abstract), for it hardly distinguishes positions. That may be why nothing
# tells it from a control in which no position attends to another.
#
# One reason may be the size. The receptive field of the encoder is 75 x 75
# pixels (chapter 3): of photographs of 64 x 64 it covers everything from
# the middle and two fifths from a corner, without attention. Hence the next
# section.

# %% [markdown]
# ## Twice the size
#
# Would larger photographs change the order? The three networks of the paper
# on *coast* at 128 x 128 pixels, everything else but the processor as before;
# again in percent of mean colour, which is computed at the same size.

# %%
at_64 = experiments.recorded(experiments.RESULTS, "minutes")
larger = experiments.recorded(experiments.RESULTS, "minutes-128")
larger = larger["coast"]
three = ("baseline", "fusion", "attention")
for one, other in (("fusion", "baseline"), ("attention", "fusion")):
    mean, low, high = percent(larger, one, other)
    print(f"128 x 128, {one} - {other}:"
          f" {mean:.0f} % [{low:.0f}, {high:.0f}]")
figures.table(
    ("coast, % of mean colour", "64 x 64", "128 x 128"),
    [(variant, share(at_64["coast"], variant), share(larger, variant))
     for variant in three],
    "Error on the test photographs of coast at two sizes.",
    "tbl-larger",
)

# %% [markdown]
# Fusion is ahead of the baseline as at 64 pixels, attention is behind
# fusion, and again both intervals contain zero. Here the receptive field of
# the encoder covers a third of the photograph at most, so attention has the
# rest to add. Nothing shows that this helped.

# %% [markdown]
# ## The same seed, another processor
#
# A seed fixes the first weights and the order of the photographs. It does
# not fix how a processor rounds a sum, and training multiplies small
# differences. So the nine networks above were trained twice, from the same
# seeds, on two kinds of processor. (The library did not yet note a name when
# some of the second nine were trained.)

# %%
again = experiments.recorded(
    experiments.RESULTS / "other-processor", "minutes-128")["coast"]
again["mean-colour"] = larger["mean-colour"]
processors = {"one processor": larger, "another": again}
for which, rows in processors.items():
    devices = {run["device"] for v in three for run in rows[v]}
    print(f"{which}: {'; '.join(sorted(devices))}")
figures.table(
    ("coast, % of mean colour", *processors),
    [(variant, *(share(rows, variant) for rows in processors.values()))
     for variant in three],
    "Error on the test photographs of coast at 128 x 128, from the"
    " same seeds on two processors.", "tbl-processors",
)

# %%
def apart(one, other):
    """Mean distance of errors, in percent."""
    return 100 * np.abs(one / other - 1).mean()


errors = np.array([error(larger[variant]) for variant in three])
print(f"same seed, other processor:"
      f" {apart(errors, [error(again[v]) for v in three]):.0f} %")
print(f"other seed, same processor:"
      f" {apart(errors, np.roll(errors, 1, axis=1)):.0f} %")

# %% [markdown]
# Another processor changes a row by no less than another seed does. And it
# reverses an order: on the first processor attention is behind fusion, on
# the second just ahead. The intervals had said that neither order is to be
# relied on; here one can see it happen. So if you run a row again on a
# machine of another kind, expect other numbers.

# %% [markdown]
# ## With augmentation, cosine decay and weight averaging
#
# All rows so far were trained as the paper writes, and with nothing that it
# does not write: a constant learning rate, no [data
# augmentation](notation.md#words). They overfit, and that may hide a
# difference. So once more, *augmented*: every photograph mirrored half of
# the time and exposed at random, the learning rate decaying along half a
# cosine, and a running average of the weights (chapter 3). Four rows on
# three data sets, three seeds.

# %%
augmented = experiments.recorded(
    experiments.RESULTS, "minutes-augmented"
)
three_sets = [name for name in titles if name in augmented]
percents(three_sets,
         "Error on the test photographs after augmented training.",
         "tbl-augmented", four, augmented)

# %%
figures.table(
    ("change in %", *(titles[name] for name in three_sets)),
    [(variant, *(
        "{} [{}, {}]".format(*(
            round(100 * end / error(at_64[name][variant]).mean())
            for end in experiments.difference(
                augmented[name][variant], at_64[name][variant])))
        for name in three_sets)) for variant in four],
    "What augmented training changes: difference to the error after"
    " the paper's training [95 % interval].", "tbl-gain",
)

# %% [markdown]
# And the networks against each other, as before:

# %% mystnb={"figure": {"caption": "The differences after augmented training, in percent of the second network's error, with 95 % intervals.", "name": "fig-augmented"}, "image": {"alt": "Three panels, four intervals each. All contain zero; most lean to the right, attention against control on open country the most, from 3 per cent lower to 23 higher."}}
augmented_differences = compared(
    {name: augmented[name] for name in three_sets},
    {pair: two for pair, two in pairs.items() if "xy" not in pair},
)
figures.intervals(
    augmented_differences, "difference of error in percent"
)

# %%
print("without zero:", [
    f"{name}, {pair}" for name, rows in augmented_differences.items()
    for pair, (_, low, high) in rows.items() if low > 0 or high < 0
])

# %% [markdown]
# Augmented training helps the network without a prior. On ImageNet the
# *baseline* gains just more than chance explains, and is now better than one
# constant colour with every seed; on *coast* it has the lowest mean of the
# four. What the others gain may be chance. And the intervals of
# {numref}`fig-augmented` lean to the right: all six of fusion and attention
# against the baseline, and all three of attention against its control. None
# excludes zero. So augmentation did not bring out a gain from the prior or
# from attention.

# %% [markdown]
# ## The paper's size, on a GPU
#
# The paper works with photographs of 256 x 256 pixels and networks of full
# width. So do the runs below, of the *paper* scale: 60 epochs, convolutions
# in bfloat16, everything else as written. One GPU trained them in about ten
# minutes, eight to ten at a time. The scale is not complete, so the ledger
# of chapter 7 does not use it yet: *open country* is here as thumbnails
# only, and *samples* has not been run.

# %%
at_256 = {
    name: rows for name, rows in
    experiments.recorded(experiments.RESULTS, "paper").items()
    if name in at_64
}
made_by(at_256)
figures.table(
    ("runs", *(titles[name] for name in at_256)),
    [(variant, *(len(rows.get(variant, ()))
                 for rows in at_256.values())) for variant in variants],
    "Seeds recorded at 256 x 256 pixels and full width.",
    "tbl-gpu-runs",
)

# %% mystnb={"figure": {"caption": "Loss on the training and on the validation photographs of coast at 256 x 256 pixels and full width. Lines are means over five seeds, bands reach from the lowest to the highest seed. Dashed: mean colour.", "name": "fig-gpu-curves"}, "image": {"alt": "Two panels. Left: the training losses of fusion, attention and control fall together to about a quarter of the baseline's, which stays high and falls slowly. Right: four validation losses run level around the dashed line, entangled, the baseline's with high peaks."}}
curves(at_256["coast"])

# %% [markdown]
# This is what the paper's figures 5 and 6 show: the training loss of the
# model with attention falls far below that of the baseline. But *fusion*
# and *control* fall just as far, and neither of them attends to anything.
# What the three have in common is the prior.
#
# The same loss at three sizes tells why. A position of the baseline sees 75
# pixels: a photograph of 64 pixels nearly whole, of one of 256 less than a
# third of a side. The other three are given, at every position, the prior's
# vector of the photograph. So they can still memorise it, and the baseline
# no longer can.

# %%
SIZES = {"64": at_64["coast"], "128": larger, "256": at_256["coast"]}
figures.table(
    ("coast, loss x 1000", *(f"{n} pixels" for n in SIZES)),
    [(variant, *(ends(rows[variant]) if variant in rows else "not run"
                 for rows in SIZES.values())) for variant in four],
    "Training loss of the last epoch / lowest validation loss (its"
    " epoch). 64 and 128 pixels: half width, 30 epochs; 256: full"
    " width, 60 epochs.", "tbl-memory",
)

# %% [markdown]
# Validation losses do not follow: they are about the same at all sizes.
# And on test photographs, in percent of mean colour:

# %%
figures.table(
    ("% of mean colour", *(f"{titles[name]}, {side}"
                           for name in at_256 for side in (64, 256))),
    [(variant, *(share(rows[name], variant) for name in at_256
                 for rows in (at_64, at_256)))
     for variant in variants],
    "Error on the test photographs at 64 pixels (half width) and at 256"
    " (full width): mean (lowest-highest) of the seeds.",
    "tbl-gpu-test",
)

# %% mystnb={"figure": {"caption": "The differences at 256 x 256 pixels and full width, in percent of the second network's error, with 95 % intervals.", "name": "fig-gpu-differences"}, "image": {"alt": "Two panels, six intervals each. Coast: all across zero, most of them over 30 per cent wide. ImageNet: fusion against the baseline is red, from 2 to 19 per cent; the other five cross zero."}}
gpu_differences = compared(at_256)
figures.intervals(gpu_differences, "difference of error in percent")

# %%
for name, rows in gpu_differences.items():
    for pair in ("fusion - baseline", "attention - baseline",
                 "attention - control"):
        mean, low, high = rows[pair]
        print(f"{name}, {pair}: {mean:.0f} % [{low:.0f}, {high:.0f}]")

# %% [markdown]
# On *coast*, attention now has the lowest mean error of the six, a seventh
# below the baseline's; the interval still reaches across zero, and the
# control is as good. On ImageNet the prior *costs*: fusion is worse than
# the baseline by more than chance (with two seeds only). Its best epoch is
# the first; from there on it overfits. So the prior helps a network to
# remember its photographs. That it helps to colorize others is not shown
# here, with 279 and 770 photographs to learn from; the paper had 60,000.
#
# Does attention attend to different places when a position sees less? A
# little more than at 64 pixels, on both data sets:

# %%
figures.table(
    ("total variation", *(titles[name] for name in at_256)),
    [(f"{side} pixels", *(total_variation(rows[name]["attention"])
                          for name in at_256))
     for side, rows in ((64, at_64), (256, at_256))],
    "Total variation distance of attention weights to uniform weights"
    " / to the mean of all positions.", "tbl-gpu-attention",
)

# %% mystnb={"figure": {"caption": "The first, middle and last test photograph of coast at 256 x 256 pixels and full width, first seed.", "name": "fig-gpu-predicted"}, "image": {"alt": "Three rows: a white ship at sea, a rocky shore, a sunset. In the column of the baseline sky, sea and foam have patches of orange, yellow and blue. In those of fusion, attention and control each picture has one tone: a blue or teal sky, a bluish gray shore, and a sunset in gray with a touch of gold."}}
show_three("paper", "coast")

# %% [markdown]
# The pictures show the same. The baseline sees 75 pixels at a time and
# cannot tell a blue day from a sunset, so it does both, in patches. The
# three with a prior decide for the whole photograph; their decision can
# be wrong, and it is often pale: the sunset stays nearly gray.

# %% [markdown]
# ## As many photographs as the paper had
#
# So far the networks have learned from hundreds of photographs, and were
# tested on some dozens. The paper had 60,000 to learn from. Three of the
# data sets of chapter 2 have thousands: *landscapes* and *places* at
# 128 x 128 pixels, and *imagenet64* at 64 x 64. One GPU trained the six
# networks on them and on *coast*, in full width and three runs at a time:
# the *gpu* scale. It is complete.

# %%
at_scale = experiments.recorded(experiments.RESULTS, "gpu")
titles |= {name: name for name in at_scale if name not in titles}
made_by(at_scale)
seconds = sum(run["seconds"] for rows in at_scale.values()
              for seeds in rows.values() for run in seeds)
print(f"{seconds / 60 / 3:.1f} minutes")
figures.table(
    ("photographs", "pixels", "training", "test", "seeds"),
    [(titles[name], rows["gray"][0]["size"],
      rows["gray"][0]["photos"]["train"],
      rows["gray"][0]["photos"]["test"], len(rows["attention"]))
     for name, rows in at_scale.items()],
    "The data sets of the gpu scale.", "tbl-scale-sets",
)

# %%
percents(at_scale, "Error on the test photographs in percent of that of"
         " one constant colour: mean (lowest-highest) of the seeds.",
         "tbl-scale-test", ("gray", *variants), at_scale)

# %%
more_pairs = pairs | {"control - fusion": ("control", "fusion")}
in_numbers(compared(at_scale, more_pairs), "Mean difference [95 %"
           " interval] in percent of the second network's error.",
           "tbl-scale-differences")

# %% [markdown]
# With so many photographs something can be decided. *The prior helps:* on
# *imagenet64* it removes a seventh of the baseline's error, on *landscapes*
# a fourteenth, both beyond chance; on *places* the interval of *fusion* just
# reaches zero. *Attention does not*, as far as three data sets can tell:
# against its control, whose positions attend to themselves alone, its
# intervals reach from -2 to 5 %. Had it removed a twentieth of the error,
# they would show it. What it wins over the baseline it owes to the prior,
# and on *places* to its layers, which the control has too and *fusion* has
# not. *Coordinates* lower no error beyond chance. *coast*, with 279
# photographs to learn from, decides nothing at full width either.
#
# One change each, on *landscapes* and with one seed; chapter 7 says what
# the names mean.

# %%
def changed_from(name):
    """The network that a row with one change is to be compared with."""
    return experiments.Run("gpu", "landscapes", name, 0).plan.preset


landscapes = at_scale["landscapes"]
ablations = [name for name in experiments.declared()["ablations"]
             if name in landscapes]
figures.table(
    ("change", "of", "% of mean colour", "without the change"),
    [(name, changed_from(name), share(landscapes, name),
      share(landscapes, changed_from(name))) for name in ablations],
    "Error on the test photographs of landscapes, in percent of that of"
    " one constant colour; without the change: mean (lowest-highest) of"
    " three seeds.", "tbl-scale-ablations",
)

# %% [markdown]
# Three rows fail, and all three by the size of their steps: plain SGD and
# Adam at a rate of 0.01 learn nothing, momentum little, in these ten epochs.
# Three more lie four points above the mean, and above all seeds of the
# network without the change: a last layer without the small gain, a rate of
# 0.003, and the classifier's probabilities instead of its logits, which
# lose nearly all that the prior wins. One seed cannot say whether that is
# chance. All others end among those seeds or a point away: batch
# normalisation or none, strides or max-pooling, He's initial weights,
# RMSProp, smaller rates, the classifier's pooled features, how attention
# scores.
#
# *Narrow against broad:* landscapes lose a third of their error, places a
# sixth, from as many photographs of the same source. Trained on one and
# tested on the other:

# %%
def tested(trained_on, tested_on, variant="fusion"):
    """Error in % of mean colour of the tested photographs' own set."""
    seeds = at_scale[trained_on][variant]
    found = seeds if trained_on == tested_on else [
        {"scores": run["elsewhere"][tested_on]} for run in seeds]
    base = error(at_scale[tested_on]["mean-colour"])
    return f"{(100 * error(found) / base).mean():.0f}"


wide = ("landscapes", "places")
figures.table(
    ("fusion, trained on", *(f"tested on {name}" for name in wide)),
    [(one, *(tested(one, other) for other in wide)) for one in wide],
    "Error in percent of that of the mean colour of the data set that"
    " is tested on.", "tbl-scale-breadth",
)

# %% [markdown]
# Landscapes are easier, whatever a network was trained on, and easiest for
# one that was trained on nothing else.
#
# What is a smaller error worth to somebody who looks? Here is what a
# classifier that took no part in training says, EfficientNet-Lite0: how
# much of what it misses in gray photographs the predicted colours bring
# back, 0 % for gray and 100 % for the photographs themselves. Beside it how
# much chroma there is, as a share of the photographs' own.

# %%
def judged(rows, variant):
    """Classifier's gap closed, in %, and mean chroma ratio."""
    key = "classifier_agreement"
    gray = rows["gray"][0]["scores"][key]
    gaps = [100 * metrics.gap_closed(run["scores"][key], gray)
            for run in rows[variant]]
    chroma = [np.nanmean(run["scores"]["chroma_ratio"])
              for run in rows[variant]]
    return f"{np.mean(gaps):.0f} % / {np.mean(chroma):.2f}"


figures.table(
    ("gap closed / chroma", *(titles[name] for name in at_scale)),
    [(variant, *(judged(rows, variant) for rows in at_scale.values()))
     for variant in ("mean-colour", *four)],
    "The classifier's gap that the colours close / mean chroma.",
    "tbl-scale-judged",
)

# %% [markdown]
# Four fifths of the chroma, but an eighth of the gap or less on the three
# large data sets: of what the classifier misses, these colours bring little
# back. Chapter 8 says why. *coast* shows that such a number can mislead: one
# colour for all photographs closes a third of its gap.

# %% [markdown]
# ## Summary
#
# - Read as the paper reads its figures, the baseline wins on its own kind
#   of photographs. The training loss tells who memorises best; the
#   validation curves of four networks cannot be told apart.
# - On *coast* and *open country* every network predicts test photographs
#   better than one constant colour does, on *samples* all but the baseline;
#   on ImageNet all stay within two per cent of it. So it is when they are
#   trained as the paper trains.
# - Of 24 intervals for the prior, attention and coordinates, none excludes
#   zero; neither do those at twice the size, where another processor is
#   enough to reverse fusion and attention, nor those after augmented
#   training.
# - Trained on one kind of photographs and tested on another, a network is
#   mostly worse than one constant colour.
# - What a position attends to is nearly the same for all positions of a
#   photograph.
# - At the paper's size the training curves look as the paper's do: every
#   network with a prior memorises far better than the baseline. On test
#   photographs of *coast* attention and its control are equally good, and
#   their lead over the baseline is not beyond chance; on ImageNet the prior
#   makes it worse.
# - With thousands of photographs to learn from, the prior removes up to a
#   seventh of the error, beyond chance. Attention removes nothing that its
#   control does not, and coordinates remove nothing. Of sixteen single
#   changes three fail, by the size of their steps; of the others none helps
#   beyond what another seed does.
#
# To run a row again, delete its folder and say
#
# ```
# colorlib reproduce --scale minutes --only coast/attention/0
# ```
#
# On a CPU of the same kind the tables come out the same, figure by figure;
# on another, the row changes as it would with another seed.

# %% [markdown]
# ## Exercises
#
# **1.** The paper's figures 5 and 6 for *coast*: would they have told the
# same story?
#
# :::{dropdown} Solution
# ```python
# figures.compare_seeds(
#     {name: [run["history"] for run in runs["coast"][name]]
#      for name in ("baseline", "attention")},
#     {"mean colour":
#      runs["coast"]["mean-colour"][0]["mean_colour"]["val"]},
# )
# ```
# :::
#
# **2.** Our intervals contain two kinds of chance, that of the photographs
# and that of the seeds. How large is the second? Compare the spread over
# seeds with the difference of two rows.
#
# :::{dropdown} Solution
# ```python
# for name, rows in runs.items():
#     gap = error(rows["attention"]).mean() - error(rows["fusion"]).mean()
#     print(name, gap, error(rows["attention"]).std(ddof=1),
#           error(rows["fusion"]).std(ddof=1))
# ```
#
# Where the gap is not much larger than the spread, three seeds are too few
# to name the better one, however many photographs there are.
# :::
#
# **3.** Does another metric change the order? Take `delta_e` instead of
# `ab_mse` in the differences.
#
# :::{dropdown} Solution
# ```python
# for pair, (one, other) in pairs.items():
#     print(pair, [
#         experiments.difference(rows[one], rows[other], "delta_e")
#         for rows in runs.values()
#     ])
# ```
# :::
