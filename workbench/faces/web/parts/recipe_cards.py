"""Recipes as cards: what each does, when it pays, and those that cannot run here with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from workbench.recipe import Recipe
from workbench.report.markup import e, icon


def recipe_cards(found: Sequence[tuple[Recipe, str]]) -> str:
    """[(recipe, why it cannot run here or "")], grouped by backend; those that cannot come last."""
    able = sorted((one for one in found if not one[1]), key=lambda one: one[0].spec.target.backend)
    unable = [one for one in found if one[1]]
    groups = [(name, list(group)) for name, group in groupby(able, key=lambda one: one[0].spec.target.backend)]
    groups += [("Cannot run here", unable)] if unable else []
    return "".join(
        f'<div class="group"><h3>{e(name)}</h3><div class="cards">{"".join(map(_card, group))}</div></div>'
        for name, group in groups
    )


def _card(one: tuple[Recipe, str]) -> str:
    recipe, reason = one
    pays = recipe.shelf.pays_when if recipe.shelf else ""
    below = f'<span class="v plain">{icon("skip")}{e(reason)}</span>' if reason else f'<p class="c">{e(pays)}</p>'
    cannot = " cannot" if reason else ""
    return f'<div class="rc{cannot}"><b>{e(recipe.name)}</b><p>{e(recipe.summary)}</p>{below}</div>'
