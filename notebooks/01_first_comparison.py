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
# # A first comparison
#
# How fast can this text classifier run on the machine that you sit at, and what does it cost in accuracy?
#
# The model comes with the workbench: MiniLM with 22 M parameters, trained to tell good film reviews from bad
# ones, and 5,000 labelled reviews that it has never seen. Nothing is downloaded here. With a model of yours the
# only thing that changes is its name: `workbench.compare("org/model", …)`.

# %% [markdown]
# ## Ask
#
# Three ways to run it, against PyTorch in float32. `quick` takes 500 reviews and 20 seconds of timing: intervals
# are wider than in a full run, and just as honest.
#
# The cell is done at once. The work goes on in processes of its own, which you may watch, cancel, or leave alone:
# close this page, restart the kernel, come back. The same cell again finds the run that is going on.

# %%
import workbench

comparison = workbench.compare(
    "starter:sentiment",
    recipes=["onnx-fp32", "onnx-int8-dynamic", "openvino-int8"],
    quick=True,
)

# %% [markdown]
# ## Look
#
# The first line is the answer. Below it every row has its speed-up and its change of accuracy, each with the
# interval that 95 of 100 such runs would agree with, and a verdict in words. Click a row, or its point in the
# plot: the reviews that it answers differently are the ones listed under *Changed predictions*.
#
# What you clicked is `comparison.selected`; before that it is the best row. Whatever needs a result waits for it.

# %%
comparison.selected

# %% [markdown]
# The same figures for pandas:

# %%
table = comparison.to_frame().set_index("name")
table[["speed.speedup", "speed.verdict", "accuracy.delta", "accuracy.verdict", "size_mb", "peak_rss_mb"]]

# %% [markdown]
# ## Doubt
#
# A speed-up is a ratio inside rounds: every round visits all rows in random order, and the baseline twice. Here
# are the calls behind it. A machine that somebody else works on shows up as a wide spread, not as a wrong
# average.

# %%
calls = comparison.samples_frame()
headline = calls[calls["point"] == calls["point"].iloc[0]]
(1000 * headline.groupby("variant")["seconds"].describe(percentiles=[0.1, 0.5, 0.9])).round(2).drop(columns="count")

# %% [markdown]
# And the reviews whose answer changed, the widest change first. Are they the ones that a person would argue
# about?

# %%
flips = comparison.flips_frame()
flips[["name", "card.text", "card.label", "baseline.answer", "variant.answer", "score_change"]].head(8)

# %% [markdown]
# ## Take it with you
#
# `best()` is the fastest row that meets the bar: at most one point of accuracy lost, as far as these reviews can
# show. Its recipe file pins model, data and packages, and says what was measured; `workbench run` and `workbench
# verify` take it as it is, and so does the third notebook.

# %%
best = comparison.best() or comparison.rows[0]
best.recipe.save("best.yaml")
best.recipe
