# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Errata and decisions
#
# What the paper gets wrong or leaves open, and what this book does instead,
# on one page. Where both ways can be run, the switch is named: an argument
# of `networks.build` or `priors.Prior`, and `--set NAME=VALUE` of `colorlib
# train`. The page is generated from the library's settings, and a test
# checks that the two agree. (To run it: [open it on
# Colab](https://colab.research.google.com/github/colorlib/attention-colorization/blob/main/book/decisions.ipynb),
# or `pip install git+https://github.com/colorlib/attention-colorization`.)

# %% tags=["remove-cell"]
# On Colab, install the library; anywhere else it is already there.
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("colorlib") is None:
    source = "https://github.com/colorlib/attention-colorization"
    subprocess.check_call(
        [sys.executable, "-m", "pip", "install", "-q",
         f"colorlib @ git+{source}"]
    )

# %% tags=["hide-input"]
from IPython.display import Markdown

from replication.book.decisions import decisions, switch

paragraphs = []
for entry in decisions():
    where = entry["section"]
    where = where if where == "abstract" else f"section {where}"
    number = entry["chapter"][:2].lstrip("0")
    set_by = f" {switch(entry)}." if switch(entry) else ""
    paragraphs.append(
        f"**{entry['topic'].capitalize()}**\n\n"
        f"> {entry['says']} ({where})\n\n"
        f"{entry['trouble']} *We decide:* {entry['decision']}{set_by}"
        f" ([Chapter {number}]({entry['chapter']}.ipynb))"
    )
Markdown("\n\n".join(paragraphs))

# %% [markdown]
# The preset `as-written` has all slips that can be run at once; its result
# is recorded under `results/minutes/coast/as-written`.
