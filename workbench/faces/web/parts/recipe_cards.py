"""Recipes as cards to choose from: what each does, when it pays, a form for its options, and those that cannot run
here with the reason. The page's script reads and marks them by the `data-` names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from workbench.editing import Field, Part
from workbench.inventory import Offered
from workbench.recipe import Recipe, Refused
from workbench.report.markup import e, icon

PartsOf = Callable[[Recipe], Sequence[Part]]


def recipe_cards(found: Sequence[Offered], parts: PartsOf, refused: Sequence[Refused] = ()) -> str:
    """Grouped by backend in the order given; those that cannot run come last, and after them what packages bring that
    is not on the shelf. `parts` gives a recipe's form."""
    able = [one for one in found if not one.missing]
    unable = [one for one in found if one.missing]
    order = list(dict.fromkeys(one.recipe.spec.target.backend for one in able))
    able.sort(key=lambda one: order.index(one.recipe.spec.target.backend))
    groups = [
        _able(name, [(one.default, _card(one, parts(one.recipe), one is found[0])) for one in group])
        for name, group in groupby(able, key=lambda one: one.recipe.spec.target.backend)
    ]
    groups += [_group("Cannot run here", "", list(map(_unable, unable)), "with what each lacks")] if unable else []
    groups += [_group("Not on the shelf", "".join(map(_refused, refused)), [], "")] if refused else []
    if len(found) < 2:  # nothing beside the baseline
        groups.append('<p class="empty">The shelf has no other recipe for this task yet.</p>')
    return "".join(groups)


def _able(title: str, cards: Sequence[tuple[bool, str]]) -> str:
    """[(first choice, card)]: what is no first choice is folded away."""
    first = "".join(card for chosen, card in cards if chosen)
    return _group(title, f'<div class="cards">{first}</div>', [card for chosen, card in cards if not chosen], "more")


def _group(title: str, shown: str, folded: Sequence[str], word: str) -> str:
    more = (
        f'<details class="more"><summary>{len(folded)} {word}</summary><div class="cards">{"".join(folded)}</div>'
        "</details>"
        if folded
        else ""
    )
    return f'<div class="group"><h3>{e(title)}</h3>{shown}{more}</div>'


def _card(one: Offered, parts: Sequence[Part], baseline: bool) -> str:
    name, pays = one.recipe.name, one.recipe.shelf.pays_when if one.recipe.shelf else ""
    checked = ' checked data-first="1"' if one.default else ""
    fixed = " disabled" if baseline else ""
    tag = ' <span class="tag">baseline</span>' if baseline else _origin(one)
    doubt = f'<p class="v plain doubt">{icon("skip")}<span>{e(one.unsuited)}</span></p>' if one.unsuited else ""
    return (
        f'<div class="rc{" on" if one.default else ""}" data-recipe="{e(name)}">'
        f'<input type="checkbox" id="rc-{e(name)}"{checked}{fixed}><label class="t" for="rc-{e(name)}">{e(name)}{tag}'
        f'</label><p>{e(one.recipe.summary)}</p><p class="c">{e(pays)}</p>{doubt}{_form(name, parts)}</div>'
    )


def _unable(one: Offered) -> str:
    return (
        f'<div class="rc cannot"><span></span><span class="t">{e(one.recipe.name)}{_origin(one)}</span>'
        f"<p>{e(one.recipe.summary)}</p>"
        f'<p class="v plain doubt">{icon("skip")}<span>{e(one.missing)}</span></p></div>'
    )


def _refused(one: Refused) -> str:
    return (
        f'<div class="rc cannot"><span></span><span class="t">{e(one.name)} <span class="tag">{e(one.origin)}</span>'
        f'</span><p class="v plain doubt">{icon("skip")}<span>{e(one.why)}</span></p></div>'
    )


def _origin(one: Offered) -> str:
    """The package that brings a recipe, behind its name."""
    return f' <span class="tag">{e(one.origin)}</span>' if one.origin else ""


def _form(recipe: str, parts: Sequence[Part]) -> str:
    inside = "".join(_part(recipe, part) for part in parts if part.fields)
    return f'<details class="form"><summary>Options</summary>{inside}</details>' if inside else ""


def _part(recipe: str, part: Part) -> str:
    fields = "".join(_field(f"{recipe}.{part.place}.{field.name}", part, field) for field in part.fields)
    about = f" <small>{e(part.summary)}</small>" if part.summary else ""
    legend = f"<legend><code>{e(part.title)}</code>{about}</legend>"
    return f'<fieldset data-place="{e(part.place)}">{legend}{fields}</fieldset>'


def _field(id: str, part: Part, field: Field) -> str:
    text = field.text(part.values[field.name])
    return (
        f'<div class="o"><label for="{e(id)}">{e(field.name)}<small>{e(field.description)}</small></label>'
        f'{_control(id, field, text)}<p class="wrong" id="{e(id)}-wrong" role="alert" hidden></p></div>'
    )


def _control(id: str, field: Field, text: str) -> str:
    said = (
        f'id="{e(id)}" data-field="{e(field.name)}" data-was="{e(text)}" aria-describedby="{e(id)}-wrong" '
        f'title="{e(field.words.replace("`", ""))}"'
    )
    if field.kind == "flag":
        return f'<input type="checkbox" {said}{" checked" if text == "true" else ""}>'
    if field.kind == "choice":
        shown = [("", "–")] if field.may_be_empty else []
        shown += [(one, one) for one in map(field.text, field.choices)]
        options = "".join(
            f'<option value="{e(value)}"{" selected" if value == text else ""}>{e(label)}</option>'
            for value, label in shown
        )
        return f"<select {said}>{options}</select>"
    hint = "" if text or not field.may_be_empty else ' placeholder="–"'
    mode = ' inputmode="decimal"' if field.kind in ("whole", "number") else ""
    return f'<input type="text" {said} value="{e(text)}"{hint}{mode} spellcheck="false" autocomplete="off">'
