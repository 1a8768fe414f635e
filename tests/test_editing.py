"""Options of one's own: what a form shows of a recipe, what it refuses at which field, and what comes of it."""

from __future__ import annotations

import pytest

from workbench import catalog, editing, recipe
from workbench.errors import RequestError

STATIC = recipe.find_recipe("onnx-int8-static")
QUANTIZE, EXPORT = "steps.1", "steps.0"


def test_every_option_of_every_plugin_is_a_field_with_a_description_and_its_default() -> None:
    for plugin in [*catalog.steps().values(), *catalog.backends().values()]:
        for field in editing.fields_of(plugin):
            assert field.description and field.words, (plugin.name, field.name)
            text = field.text(field.default)
            assert field.value(text) == field.default or field.kind == "text", (plugin.name, field.name)


@pytest.mark.parametrize("name", list(recipe.shelf()))
def test_a_form_that_nobody_touched_gives_the_recipe_itself(name: str) -> None:
    one = recipe.find_recipe(name)
    untouched = {part.place: {field.name: field.text(part.values[field.name]) for field in part.fields}
                 for part in editing.parts(one)}  # fmt: skip
    assert editing.wrongs(one, untouched) == {} and editing.edited(one, untouched) is one


def test_a_changed_option_makes_another_recipe_that_says_so() -> None:
    changed = editing.edited(
        STATIC, {QUANTIZE: {"percentile": "99.9", "calibration": "percentile"}, "target": {"threads": "1"}}
    )
    assert changed.name == "onnx-int8-static-edited" and changed.spec.target.threads == 1
    assert changed.spec.steps[1].options == {"per_channel": True, "calibration": "percentile", "percentile": 99.9}
    assert recipe.load(changed.to_yaml()).identity() == changed.identity() != STATIC.identity()
    again = editing.edited(changed, {QUANTIZE: {"percentile": "99"}})
    assert again.name == "onnx-int8-static-edited"


@pytest.mark.parametrize(
    ("place", "field", "text", "said"),
    [
        (QUANTIZE, "percentile", "101", "less than or equal to 100"),
        (QUANTIZE, "percentile", "many", "valid number"),
        (QUANTIZE, "calibration", "best", "'minmax'"),
        (QUANTIZE, "per_channel", "perhaps", "valid boolean"),
        (EXPORT, "opset", "7", "greater than or equal to 18"),
        ("target.options", "requests", "0", "greater than or equal to 1"),
        ("target.options", "provider_options", "{", "dictionary"),
        ("target", "threads", "0", "from 1 on"),
        ("target", "threads", "all", "auto"),
        ("target", "device", "c p u", "cpu"),
    ],
)
def test_what_cannot_be_is_said_at_its_field(place: str, field: str, text: str, said: str) -> None:
    found = editing.wrongs(STATIC, {place: {field: text}})
    assert list(found) == [f"{place}.{field}"] and said in found[f"{place}.{field}"], found
    with pytest.raises(RequestError, match=field):
        editing.edited(STATIC, {place: {field: text}})


def test_every_wrong_field_is_named_not_only_the_first() -> None:
    found = editing.wrongs(STATIC, {EXPORT: {"opset": "7"}, QUANTIZE: {"percentile": "0", "format": "xml"}})
    assert set(found) == {"steps.0.opset", "steps.1.percentile", "steps.1.format"}


def test_an_empty_field_is_no_value_where_that_is_allowed() -> None:
    opset = {field.name: field for field in editing.parts(STATIC)[0].fields}["opset"]
    assert opset.may_be_empty and opset.value("") is None and opset.value("20") == 20 and opset.text(None) == ""
