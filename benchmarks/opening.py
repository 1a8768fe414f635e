"""How long the command line takes to open, and what it imports.

python -m benchmarks.opening
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.machine_line import machine_line, percentile

HEAVY = ("torch", "transformers", "onnxruntime", "openvino", "gradio", "pandas")
SHOW = (
    "import sys; sys.argv=['workbench','--help']\n"
    "from workbench.faces.terminal import main\n"
    "try: main()\n"
    "except SystemExit: pass\n"
    "print('\\n'.join(sys.modules), file=sys.stderr)"
)


def main() -> None:
    taken = []
    for _ in range(20):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "workbench", "--help"], stdout=subprocess.DEVNULL, check=True)
        taken.append(time.perf_counter() - start)
    loaded = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True, check=True).stderr.split()
    heavy = [name for name in HEAVY if name in loaded]
    text = "\n".join([
        "# Opening the command line",
        "",
        machine_line(),
        "",
        f"`workbench --help`, 20 times: median {percentile(taken, 50):.2f} s, slowest {max(taken):.2f} s. "
        f"Of {', '.join(HEAVY)} it imports: {', '.join(heavy) or 'none'}.",
        "",
        "Made by `python -m benchmarks.opening`.",
        "",
    ])  # fmt: skip
    print(text)
    (Path(__file__).parent.parent / "docs/results/opening.md").write_text(text)


if __name__ == "__main__":
    main()
