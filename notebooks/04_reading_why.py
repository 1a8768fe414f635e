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
# # Reading why
#
# "Quantize it, and it gets faster" is true until it is not. This notebook takes a recipe that quantizes too much,
# reads in its audit and its profile what went wrong, and finds the operators that should stay in float32.

# %% [markdown]
# ## Two ways to INT8
#
# Both find ranges on calibration data. The recipe on the shelf quantizes the products that have weights, and what
# goes into them. `everything` is what the library's own defaults would do: more kinds of operators, attention
# too, and every tensor that any of them reads or writes.

# %%
import workbench
from workbench.recipe import find_recipe

shelf = find_recipe("onnx-int8-static").with_measure(time_cap_s=10)
everything = shelf.with_step(
    "quantize-onnx-static",
    name="everything",
    op_types=["MatMul", "Gemm", "Add", "Mul", "Softmax", "Gather", "Transpose", "Split"],
    constant_weights_only=False,
    inputs_only=False,
)
comparison = workbench.compare("starter:sentiment", [shelf, "onnx-fp32", everything], quick=True)

# %% [markdown]
# ## The audit: what is in the file
#
# After each build the file is read, without running it: how many products were quantized, and how many pairs of
# quantize and dequantize there are that no integer kernel takes up. Those pairs are work that float32 would not
# have.

# %%
import pandas as pd

audits = {name: comparison.row(name)["audit"] for name in ("onnx-fp32", "onnx-int8-static", "everything")}
pd.DataFrame(
    {
        name: {
            "products in INT8": sum(kind["quantized"] for kind in audit["coverage"].values()),
            "of": sum(kind["total"] for kind in audit["coverage"].values()),
            "Q/DQ pairs": audit["qdq_pairs"],
            "of them unfused": audit.get("qdq_unfused"),
        }
        for name, audit in audits.items()
    }
).T

# %% [markdown]
# The same as sentences, where a rule of the workbench recognises the cause:

# %%
for row in comparison.rows:
    print(row.name, *row["why"], sep="\n    ")

# %% [markdown]
# ## The profile: where the time goes
#
# Milliseconds of a call by kind of operator. Look for kinds that only one of them has.

# %%
profile = comparison.profile_frame()
kinds = profile[profile["row"].isin(audits)].pivot_table(index="type", columns="row", values="seconds", aggfunc="sum")
kinds = (1000 * kinds[list(audits)]).round(3)
kinds.loc[kinds.max(axis=1).sort_values(ascending=False).index].head(10).astype(object).fillna("")

# %% [markdown]
# ## Nodes to keep in float32
#
# Quantizing costs accuracy where ranges are wide, and that is rarely everywhere. `exclude` leaves operators alone
# by their names (`*` stands for anything). Which part of the model is better left in float32: its beginning or
# its end? Here are the products with weights, in the order of the graph, read from the float32 file.

# %%
import onnx

comparison.save("why")
graph = onnx.load("why/models/onnx-fp32/model.onnx").graph
weights = {one.name for one in graph.initializer}
products = [node.name for node in graph.node if node.op_type in ("MatMul", "Gemm") and weights & set(node.input)]
len(products), products[:3], products[-3:]

# %%
begins = shelf.with_step("quantize-onnx-static", name="keeps-the-beginning", exclude=products[:6])
ends = shelf.with_step("quantize-onnx-static", name="keeps-the-end", exclude=products[-6:])
kept = workbench.compare("starter:sentiment", [shelf, begins, ends], quick=True)

# %% [markdown]
# Every one of them answers the same 500 reviews, so they are compared answer by answer. `agreement` is the share
# of answers that are those of float32: it moves long before accuracy does, and so it is the better guide here.

# %%
pd.DataFrame(
    {
        row.name: {
            "speed-up": round(row["speed"]["speedup"], 2),
            "agreement": row["accuracy"]["agreement"],
            "to wrong": row["accuracy"]["flips"]["to_wrong"],
            "to right": row["accuracy"]["flips"]["to_right"],
            "change, points": round(100 * row["accuracy"]["delta"], 1),
            "verdict": row["accuracy"]["verdict"],
        }
        for row in kept.rows[1:]
    }
).T

# %% [markdown]
# Whatever the table says on your machine, the question is the same: is what the float32 part costs in speed worth
# what it brings back? With 500 reviews the verdicts may well be "no detectable drop" for all, and then the
# fastest is the one to take. With a model that *is* sensitive this is how the place is found, and the row's
# recipe file keeps the answer.

# %%
chosen = kept.selected or kept.rows[1]
chosen.recipe.save("chosen.yaml")
chosen.recipe
