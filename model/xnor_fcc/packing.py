# SPDX-License-Identifier: Apache-2.0
"""Writes a network as a core of some size takes it: memory files, or register writes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TypedDict

import numpy as np

from .errors import CommandLine, UserError
from .files import write_whole
from .geometry import Geometry
from .geometry_options import add_geometry, add_network, geometry_of
from .images import as_grey, flat, read_labelled
from .integer import IntegerNetwork, find_network
from .loading import load_checks
from .pack import Memory, pack
from .register_script import register_script

_EPILOG = """\
The core is the smallest of its PE, SIMD and LANES that holds the network; its parameters are
printed, and both forms are for a core built with exactly these.

  --output DIR   $readmemh files for a core that comes up with its network: its parameter PRESET is
                 the path of DIR with the prefix, as in PRESET = "DIR/preset"
  --out FILE     text with every register write that loads the network, and the checksums to read
                 back, for hosts without Python: quartus/jtag/classify.tcl, quartus/host/classify.c;
                 with --images also the images that they are to classify

A host with numpy needs neither: xnor_fcc.board.driver loads the network's file itself.

examples
  xnor-fcc pack --geometry throughput --output memory
  xnor-fcc pack --network my.npz --pe 16 --simd 64 --lanes 1 --out my.txt --json
  xnor-fcc pack --out mnist.txt --images model/data/mnist_test.npz --count 10
"""


def parser() -> CommandLine:
    """The command line."""
    result = CommandLine(
        prog="xnor-fcc pack",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = result.add_argument
    add_network(result)
    add_geometry(result, streamed=False)
    add("--output", type=Path, metavar="DIR", help="directory of the memory files to write")
    add("--prefix", default="preset", help="how their names begin (default: %(default)s)")
    add("--grey", action="store_true",
        help="with --output: images will come as 8-bit pixels, not as bits")  # fmt: skip
    add("--parameters", metavar="NAME=VALUE,...",
        help="a core of these parameters instead, as PE=16,SIMD=64,WEIGHT_DEPTH=3000; those which "
        "are left out have their defaults")  # fmt: skip
    add("--out", type=Path, metavar="FILE", help="register writes, as text, to write")
    add("--images", type=Path, metavar="FILE",
        help="with --out: images to classify, in an IDX file (plain or .gz), .npy, .npz with "
        "`images`, or a picture")  # fmt: skip
    add("--labels", type=Path, metavar="FILE",
        help="with --images: an IDX or .npy file with the right classes")  # fmt: skip
    add("--count", type=int, metavar="N", help="with --images: only so many, the first ones")
    add("--json", action="store_true", help="print one JSON object instead of text")
    return result


def _geometry(options: argparse.Namespace, network: IntegerNetwork) -> Geometry:
    if options.parameters is None:
        return geometry_of(options, network.shape)
    if options.geometry or (options.pe, options.simd, options.lanes) != (None,) * 3:
        raise UserError("--parameters tells all of a core: no other size goes with it.")
    names = {field.name for field in fields(Geometry)}
    sizes = {}
    for part in options.parameters.split(","):
        name, _, value = part.partition("=")
        if name.lower() not in names or not value.isdigit():
            raise UserError(f"{part} is not NAME=VALUE with a parameter of the core.")
        sizes[name.lower()] = int(value)
    return Geometry(**sizes)


def _images(
    options: argparse.Namespace, network: IntegerNetwork
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """What `register_script` takes of them, and their labels."""
    if options.images is None:
        return None, None
    images, labels = read_labelled(
        options.images, options.labels, options.count, network.colours
    )
    if network.pixels is not None:
        return as_grey(images), labels
    images = flat(images, network.inputs)
    grey = images.max(initial=0) > 1
    if network.pixel_residual is None:
        return network.inputs_from(images) if grey else images, labels
    if not grey:
        raise UserError("The network has second-order inputs and takes grey images only.")
    return images, labels


class Report(TypedDict):
    """The JSON object that the command prints."""

    network: str
    widths: list[int]
    parameters: dict[str, int]
    weight_words: int
    threshold_words: int
    layer_table: list[int]
    checks: dict[str, int]
    """What registers read once all has arrived."""
    images: int
    files: list[str]


def describe(name: str, memory: Memory, images: int, files: Sequence[Path]) -> Report:
    """The report: what core the files are for, what it reads back, how many images go with it,
    which files there are."""
    return {
        "network": name,
        "widths": list(memory.shape.widths),
        "parameters": memory.geometry.parameters(),
        "weight_words": len(memory.weights),
        "threshold_words": len(memory.offsets),
        "layer_table": list(memory.entries),
        "checks": load_checks(memory),
        "images": images,
        "files": [str(path) for path in files],
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Pack, write, print."""
    options = parser().parse_args(argv)
    if options.output is None and options.out is None:
        raise UserError("Say what to write: --output DIR (memory files) or --out FILE (writes).")
    if not options.prefix or Path(options.prefix).name != options.prefix:
        raise UserError(f"--prefix {options.prefix} is no beginning of a file's name.")
    if options.images is None and (options.labels is not None or options.count is not None):
        raise UserError("--labels and --count go with --images FILE.")
    if options.images is not None and options.out is None:
        raise UserError("--images goes with --out FILE: a core's memories hold no images.")
    network = IntegerNetwork.load(find_network(options.network))
    geometry = _geometry(options, network)
    images, labels = _images(options, network)
    memory = pack(network, geometry)
    contents: dict[Path, bytes] = {}
    if options.output is not None:
        contents |= memory.preset_files(
            options.output / options.prefix, enable=True, pixel_8bit=options.grey
        )
    if options.out is not None:
        script = register_script(network, geometry, images, labels)
        # The names of files in it stay the bytes that they are.
        contents[options.out] = script.encode("utf-8", "surrogateescape")
    write_whole(contents)
    files = list(contents)
    report = describe(network.name, memory, 0 if images is None else len(images), files)
    if options.json:
        print(json.dumps(report, indent=1))
        return 0
    print(f"{network.name}, {report['weight_words']:,} weight words, for a core with")
    print("  " + " ".join(f"{name}={value}" for name, value in report["parameters"].items()))
    for path in files:
        print(f"wrote {path}")
    if images is not None:
        print(f"{len(images)} images in {options.out}")
    return 0
