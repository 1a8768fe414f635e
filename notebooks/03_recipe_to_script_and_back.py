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
# # From a recipe file to a script, and back
#
# A number in a slide is worth little if nobody can have it again. A recipe file is that number with everything
# behind it: model, data, options and packages, pinned; what was measured, with its intervals. This notebook takes
# one from a comparison, puts the model to work, and checks what the file promises.

# %% [markdown]
# ## A file

# %%
import workbench

comparison = workbench.compare("starter:sentiment", ["onnx-int8-dynamic"], quick=True)

# %%
row = comparison.row("onnx-int8-dynamic")
row.recipe.save("int8.yaml")
print(row.recipe.to_yaml()[:1600], "…")

# %% [markdown]
# `spec` is what was asked for and may be edited. `lock` is what it was resolved to, down to hashes of files and
# rows. `expect` is what was measured.

# %% [markdown]
# ## A model to call
#
# `load` builds what the file says, or takes it from the store, and gives something that is called like the
# transformers model it came from. `pipeline` puts the model's own tokenizer around it.

# %%
pipe = workbench.pipeline("int8.yaml")
pipe(["A finely written, superbly acted offbeat thriller.", "Two hours that I will never get back."])

# %% [markdown]
# It is the INT8 model that answers, in its own runtime:

# %%
pipe.model

# %% [markdown]
# In a script it is the same two lines, with nothing of a notebook in them:
#
# ```python
# import workbench
#
# pipe = workbench.pipeline("int8.yaml")
# ```

# %% [markdown]
# ## Does it still hold?
#
# `verify` goes through the file's promises one by one: is it a valid file, are the inputs the same bytes, is the
# environment the same, does building it give the same graph, does that give the same answers, and is it as fast,
# within both intervals? `reuse=True` takes the model that is in the store; without it everything is built again
# in an empty folder, which is what you want in CI.

# %%
workbench.verify("int8.yaml", reuse=True)

# %% [markdown]
# ## And if somebody changes it?
#
# One option of the file is turned. It is still a valid recipe, it still builds and it still answers. But it is
# not what was measured, and that is found:

# %%
from pathlib import Path

text = Path("int8.yaml").read_text()
Path("changed.yaml").write_text(text.replace("per_channel: true", "per_channel: false", 1))
changed = workbench.verify("changed.yaml", reuse=True)
changed

# %%
changed.passed, [level.level for level in changed.levels if level.result == "fail"]
