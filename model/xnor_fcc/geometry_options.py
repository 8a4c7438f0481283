# SPDX-License-Identifier: Apache-2.0
"""The options that every command has in common: which network, and which size of the core."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from .geometry import NAMED, Geometry, GeometryError, KindError, MapShape, Shape
from .integer import network_names
from .map_geometry import default_sizes
from .parameters import most
from .renamed import current


def add_network(parser: argparse._ActionsContainer, default: str | None = "mnist") -> None:
    """--network; `default` None where something else can take its place."""
    parser.add_argument(
        "--network",
        default=default,
        metavar="NAME|FILE",
        help=f"a network by name ({', '.join(network_names())}), or a network file "
        f"(default: {default or 'mnist'}; seed is the old name of original)",
    )


def add_geometry(
    parser: argparse.ArgumentParser, streamed: bool = True, named: str = "default"
) -> None:
    """--geometry, --pe, --simd, --lanes and, where weights may be streamed, --weight-stream; the
    help names `named` as the default."""
    pe, simd, lanes = NAMED[named]
    parser.add_argument(
        "--geometry",
        type=current,
        choices=sorted(NAMED),
        help=f"a core by name, each of whose sizes can still be changed (default: {named}; seed is "
        "the old name of original)",
    )
    parser.add_argument(
        "--pe", type=int, metavar="N", help=f"neurons computed at once in a lane (default: {pe})"
    )
    parser.add_argument(
        "--simd", type=int, metavar="N", help=f"synapses per PE and cycle (default: {simd})"
    )
    parser.add_argument(
        "--lanes", type=int, metavar="N", help=f"images computed in step (default: {lanes})"
    )
    parser.set_defaults(weight_stream=0)
    if streamed:
        parser.add_argument(
            "--weight-stream",
            type=int,
            metavar="BITS",
            help="a core without a weight memory: weights come over a port of so many bits",
        )


def no_wider(sizes: Sequence[int], shape: Shape) -> tuple[int, int, int]:
    """PE, SIMD, LANES of which no part would idle with a network of `shape`."""
    pe, simd, lanes = sizes
    return min(pe, max(shape.widths[1:])), min(simd, max(shape.widths[:-1])), lanes


def sizes_of(
    options: argparse.Namespace, default: Sequence[int] = NAMED["default"]
) -> tuple[int, int, int]:
    """PE, SIMD, LANES as asked for; `default` where nothing says otherwise."""
    pe, simd, lanes = (
        known if given is None else given
        for given, known in zip(
            (options.pe, options.simd, options.lanes),
            NAMED[options.geometry] if options.geometry else default,
            strict=True,
        )
    )
    return pe, simd, lanes


def geometry_of(
    options: argparse.Namespace,
    shape: Shape | Sequence[int],
    default: Sequence[int] | None = None,
) -> Geometry:
    """The smallest core of the sizes asked for that runs a network of `shape`.

    What is not asked for is as in `default`; unless that is given, as in the core of that name, or
    as suits a network that begins with convolutions. `GeometryError` where there is none.
    """
    shape = Shape.of(shape)
    if default is None:
        default = default_sizes(shape) if isinstance(shape, MapShape) else NAMED["default"]
    sizes = sizes_of(options, default)
    return Geometry.for_widths(shape, *sizes, weight_stream=options.weight_stream)


def learning(geometry: Geometry, shape: Shape | Sequence[int]) -> Geometry:
    """The same core with LEARN for the classes of a network of `shape`.

    `KindError` where no core learns a network of its kind, `GeometryError` where none learns so
    many classes, or none of this geometry learns.
    """
    shape = Shape.of(shape)
    for what, there in (
        ("begins with convolutions", isinstance(shape, MapShape)),
        ("has second-order activations", shape.pairs),
        ("has ternary weights", any(shape.ternary)),
    ):
        if there:
            raise KindError(f"The network {what}, and a core that learns (LEARN) takes none such.")
    classes = shape.widths[-1]
    if classes > most("LEARN"):
        raise GeometryError(
            f"The network has {classes} classes, and a core learns at most {most('LEARN')}."
        )
    if geometry.learn >= classes:
        return geometry
    if geometry.taps > 1:
        raise GeometryError(
            f"A core of {geometry.label} has TAPS={geometry.taps}, and one that learns has TAPS=1: "
            "take a smaller PE."
        )
    return replace(geometry, learn=classes)
