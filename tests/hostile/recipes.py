# ruff: noqa: E501 - one line a case
"""Recipe files: YAML that explodes, keys that are none, numbers, paths, code, secrets."""

from __future__ import annotations

from collections.abc import Callable

from tests.hostile import Case, Scene

GOOD = """schema: workbench/recipe@1
name: mine
summary: Mine.
spec:
  target: {backend: onnxruntime, device: cpu, threads: auto}
  steps: [{use: export-onnx}]
"""


def recipe(old: str, new: str) -> Callable[[Scene], str]:
    assert old in GOOD
    return lambda scene: GOOD.replace(old, new.replace("{secret}", str(scene.secret)))


def text(content: str) -> Callable[[Scene], str]:
    return lambda scene: content


LAUGH = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
NAME, STEP, TOP = "name: mine", "{use: export-onnx}", "summary: Mine."
BUILDS: dict[str, tuple[Callable[[Scene], str], str]] = {
    "anchors that explode": (text(LAUGH), "anchor"),
    "an anchor in a recipe": (recipe("spec:", "spec: &spec"), "anchor"),
    "a merge key": (recipe(TOP, "summary: x\n<<: *spec"), "anchor"),
    "a tag that runs Python": (recipe("Mine.", "!!python/object/apply:os.system ['touch {secret}']"), "tag"),
    "a tag that makes an object": (recipe("Mine.", "!!python/object:os.Popen {}"), "tag"),
    "a tag of a set": (recipe("Mine.", "!!set {a}"), "tag"),
    "a tag that includes a file": (recipe("Mine.", "!include {secret}"), "tag"),
    "binary": (recipe("Mine.", "!!binary aGVsbG8="), "tag"),
    "a second document": (text(GOOD + "---\na: 1\n"), "second document"),
    "a key twice": (recipe(NAME, "name: mine\nname: yours"), "twice"),
    "a key that is a list": (recipe(NAME, "? [a, b]\n: 1\nname: mine"), "not text"),
    "ten thousand levels": (text("[" * 10_000 + "]" * 10_000 + "\n"), "levels"),
    "a hundred levels of keys": (text("".join(f"{' ' * n}a:\n" for n in range(100))), "levels"),
    "a million values": (text("a: [" + "1," * 400_000 + "1]\n"), "more than 10,000 values"),
    "a hundred thousand keys": (text("".join(f"k{n}: 1\n" for n in range(100_000))), "more than 10,000 values"),
    "a path of megabytes": (text("x/" * 1_000_000), "There is no file"),
    "two megabytes": (text("# " + "x" * 2_000_000 + "\n"), "larger than 1 MB"),
    "a zero in the text": (text(GOOD + "# \0\n"), "not YAML text"),
    "a control character": (text(GOOD + "# \x1b[2J\n"), "not YAML text"),
    "infinity": (recipe("threads: auto", "threads: .inf"), "not a finite number"),
    "a number beyond all": (recipe("threads: auto", "threads: 1e999"), "not a finite number"),
    "threads below one": (recipe("threads: auto", "threads: -4"), "threads"),
    "half a thread": (recipe("threads: auto", "threads: 1.5"), "threads"),
    "an unknown key": (recipe(TOP, "on_load: evil.py"), "no key `on_load`"),
    "an unknown key further inside": (recipe("threads: auto", "shell: rm"), "no key `shell`"),
    "a hook": (recipe("steps:", "hooks: [run.sh]\n  steps:"), "no key `hooks`"),
    "environment variables": (recipe("steps:", "environment: {LD_PRELOAD: x.so}\n  steps:"), "no key `environment`"),
    "a step by the place of its file": (recipe("use: export-onnx", "use: /tmp/evil.py"), "path of this machine"),
    "a step by an import": (recipe("use: export-onnx", "use: os:system"), "use"),
    "a backend by an import": (recipe("backend: onnxruntime", "backend: os.system"), "backend"),
    "a file that climbs": (recipe(STEP, "{use: existing, file: ../../etc/passwd}"), "path of this machine"),
    "a file by its absolute name": (recipe(STEP, "{use: existing, file: '{secret}'}"), "path of this machine"),
    "a file by a home folder": (recipe(STEP, "{use: existing, file: ~/model.onnx}"), "path of this machine"),
    "a file by an address": (recipe(STEP, "{use: existing, file: 'file:///etc/passwd'}"), "path of this machine"),
    "a file on a drive": (recipe(STEP, "{use: existing, file: 'C:\\model.onnx'}"), "path of this machine"),
    "a path in a key": (recipe(STEP, "{use: existing, '../x': 1}"), "path of this machine"),
    "remote code": (recipe(STEP, "{use: export-onnx, trust_remote_code: true}"), "never run"),
    "a model by its folder": (recipe("spec:", "spec:\n  model: {id: /root/model}"), "path of this machine"),
    "data that climb": (recipe("spec:", "spec:\n  data: {evaluation: {source: ../rows.csv}}"), "path of this machine"),
    "data by a file": (recipe("spec:", "spec:\n  data: {evaluation: {source: rows.csv}}"), "names no files"),
    "a token": (recipe("Mine.", "hf_" + "a" * 30), "secret"),
    "a password in an address": (recipe("Mine.", "see https://me:word@host/x"), "secret"),
    "a private key": (recipe("Mine.", "'-----BEGIN RSA PRIVATE KEY-----'"), "secret"),
    "a name that climbs": (recipe(NAME, "name: ../../evil"), "path of this machine"),
    "a name with a line end": (recipe(NAME, 'name: "a\\nb"'), "name"),
    "a name of markup": (recipe(NAME, "name: '<script>alert(1)</script>'"), "name"),
    "half a character": (recipe("Mine.", '"\\ud800"'), "half a character"),
    "a schema of another program": (recipe("workbench/recipe@1", "docker/compose@3"), "schema"),
    "a list of steps without end": (recipe(f"[{STEP}]", "[" + ", ".join(["{use: export-onnx}"] * 15_000) + "]"), "values"),
}  # fmt: skip
CASES = {name: Case("recipe", build, says) for name, (build, says) in BUILDS.items()}
