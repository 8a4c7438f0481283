# SPDX-License-Identifier: Apache-2.0
"""Writes what xnor_fcc_tb.v reads: memory files of the network `digits` for the core that it
instantiates, test digits, and what the integer reference answers.

The files are committed, so that a run needs FuseSoC and a simulator only; a test holds them to what
is written here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from xnor_fcc.data import load_test_images
from xnor_fcc.errors import CommandLine, run_main
from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork, find_network
from xnor_fcc.pack import pack
from xnor_fcc.reference import evaluate

HERE = Path(__file__).resolve().parent
NETWORK = "digits"
# One of each digit, and one more, so that the last batch leaves a lane empty.
IMAGES = 11


def geometry() -> Geometry:
    """That of the core in the testbench."""
    text = (HERE / "xnor_fcc_tb.v").read_text()
    found = re.findall(r"^ +parameter (\w+) = (\d+),$", text, re.M)
    return Geometry(**{name.lower(): int(value) for name, value in found})


def write(directory: Path) -> None:
    """Write all files into `directory`."""
    network = IntegerNetwork.load(find_network(NETWORK))
    grey, _ = load_test_images(NETWORK)
    grey = grey[:IMAGES]
    core = geometry()
    directory.mkdir(parents=True, exist_ok=True)
    pack(network, core).write_preset(directory / "preset", pixel_8bit=True)
    # The first pixel is the high-order byte of its beat.
    beats = grey.reshape(-1, core.image_width // 8)
    _write_lines(directory / "images.hex", (beat.tobytes().hex() for beat in beats))
    answer = evaluate(network, network.inputs_from(grey))
    last = answer.classes << 16 | np.arange(IMAGES)
    words = np.column_stack([answer.scores, last]).reshape(-1) & 0xFFFFFFFF
    _write_lines(directory / "results.hex", (f"{word:08x}" for word in words))


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("\n".join(lines) + "\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Write the vectors beside the testbench, or elsewhere."""
    parser = CommandLine(prog="python verif/fusesoc/make_vectors.py", description=__doc__)
    parser.add_argument(
        "--output",
        type=Path,
        default=HERE / "vectors",
        metavar="DIR",
        help="directory to write into (default: %(default)s)",
    )
    write(parser.parse_args(argv).output)
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
