# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Your own data, and the question of n
#
# A model that lost nothing on somebody else's benchmark may lose something on your texts. So judge it on yours: a
# CSV, JSONL or Parquet file, a data set on the Hub, a folder of pictures or sounds.
#
# How many labelled rows does that take? This notebook finds out.

# %% [markdown]
# ## A file of your own
#
# Here is one as it comes out of a shop: columns with names of their own, labels in the model's words. (It is made
# of the starter's reviews, so that this notebook runs anywhere.)

# %%
import pandas as pd

from workbench.hub import starter_folder

rows = pd.read_csv(starter_folder() / "sentiment" / "evaluation.csv").sample(2000, random_state=1)
rows = rows.rename(columns={"text": "review", "label": "mood"})
rows.insert(0, "shop", "north")
rows.to_csv("reviews.csv", index=False)
rows.head(3)

# %% [markdown]
# `fields` says which column is which. Had we left it out, the error would have named the columns that there are:

# %%
import workbench

try:
    workbench.compare("starter:sentiment", ["onnx-int8-dynamic"], data="reviews.csv")
except workbench.RequestError as error:
    print(error)

# %% [markdown]
# ## A hundred rows
#
# The cheapest answer first. Speed is settled soon, so that ten seconds of timing will do.

# %%
from workbench.recipe import find_recipe

asked = {"data": "reviews.csv", "fields": {"text": "review", "label": "mood"}}
recipe = find_recipe("onnx-int8-dynamic").with_measure(time_cap_s=10)
small = workbench.compare("starter:sentiment", [recipe], n=100, **asked)

# %%
row = small.row("onnx-int8-dynamic")
row["accuracy"]["verdict"], row["accuracy"]["ci95"], row["accuracy"]["constraint"]

# %% [markdown]
# Speed is settled, accuracy is not. Answers are compared in pairs, row by row, so what counts is how many
# *change*: if two of a hundred answers change, this is the smallest drop that n rows can tell from nothing.

# %%
from workbench import evidence

sizes = (100, 500, 2000, 10000)
pd.DataFrame(
    {"smallest drop seen, points": [round(100 * evidence.detectable_drop(n, 0.02), 2) for n in sizes]},
    index=pd.Index(sizes, name="n"),
)

# %% [markdown]
# The bar is one point. So many rows does it take, when two in a hundred answers change and none of it is loss on
# balance:

# %%
evidence.examples_needed(0.01, 0.02)

# %% [markdown]
# ## Two thousand rows
#
# The model is built already, and so is everything else that can be kept: only the new rows are answered, and
# speed is measured again, because speed is always measured when it is asked for.

# %%
large = workbench.compare("starter:sentiment", [recipe], n=2000, **asked)

# %%
pd.DataFrame(
    {
        run.report["data"]["evaluation"]["n"]: {
            "change, points": round(100 * row["accuracy"]["delta"], 2),
            "from": round(100 * row["accuracy"]["ci95"][0], 2),
            "to": round(100 * row["accuracy"]["ci95"][1], 2),
            "verdict": row["accuracy"]["verdict"],
            "the bar": row["accuracy"]["constraint"],
            "changed to wrong": row["accuracy"]["flips"]["to_wrong"],
            "changed to right": row["accuracy"]["flips"]["to_right"],
        }
        for run in (small, large)
        for row in [run.row("onnx-int8-dynamic")]
    }
)

# %% [markdown]
# ## What changed
#
# A verdict on an average hides who pays. The rows whose answer flipped are few enough to be read:

# %%
flips = large.flips_frame()
flips[["card.text", "card.label", "baseline.answer", "baseline.score", "variant.score", "kind"]].head(10)

# %% [markdown]
# No labels at all? Then variants are compared with the baseline's own answers, and a warning says so: agreement
# is not accuracy.
