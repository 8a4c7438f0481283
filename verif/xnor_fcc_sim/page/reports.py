# SPDX-License-Identifier: Apache-2.0
"""What the page reads of each report.json. A report may hold more, which others read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, is_dataclass
from typing import Any, TypeVar

import cattrs
from cattrs.gen import make_dict_structure_fn

from xnor_fcc.geometry import Geometry

T = TypeVar("T")

# ---- verification


@dataclass(frozen=True)
class Points:
    """Shares of the lines and bits of a module that were seen; None where it has none."""

    line: float | None
    toggle: float | None


@dataclass(frozen=True)
class Group:
    """Bins of a part of the plan, and those that were hit."""

    bins: int
    hit: int


@dataclass(frozen=True)
class Coverage:
    """Of `make coverage`."""

    functional: float
    line: float
    toggle: float
    bins: int
    bins_hit: int
    exclusions: int
    missing: list[str]
    per_module: dict[str, Points]
    per_group: dict[str, Group] = field(default_factory=dict)
    missed_lines: list[str] = field(default_factory=list)
    missed_bits: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Judged:
    """Mutants of a module, or of all."""

    mutants: int
    killed: int
    survived: int
    equivalent: int
    score: float


@dataclass(frozen=True)
class Survivor:
    """A mutant that no test finds, and why, if that is known."""

    mutant: str
    text: str
    reason: str


@dataclass(frozen=True)
class Proven:
    """A mutant that was proven to change nothing."""

    mutant: str
    text: str
    method: str


@dataclass(frozen=True)
class Mutation(Judged):
    """Of `make mutate`."""

    invalid: int
    killed_by_time_out: int
    seconds: float
    per_module: dict[str, Judged]
    survivors: list[Survivor]
    proven: list[Proven]


@dataclass(frozen=True)
class Twin:
    """The same property over a faulty core."""

    mutation: str
    status: str
    seconds: float


@dataclass(frozen=True)
class Proof:
    """One of those of `make formal`; its depth is in clock cycles, or "unbounded"."""

    name: str
    claim: str
    depth: int | str
    status: str
    seconds: float
    twin: Twin


@dataclass(frozen=True)
class Failure:
    """A scenario that failed."""

    scenario: str
    simulator: str
    why: str


@dataclass(frozen=True)
class Soak:
    """Of `make soak`."""

    minutes: float
    seed: int
    scenarios: int
    episodes: int
    images: int
    malformed_packets: int
    register_accesses: int
    hidden_bits: int
    cycles: int
    failures: list[Failure]
    ended: str = ""


@dataclass(frozen=True)
class Curve:
    """Accuracies of the draws, by the number of flipped bits."""

    memory_bits: int
    flips: list[int]
    accuracy_mean: list[float]
    accuracy_min: list[float]
    accuracy_max: list[float]


@dataclass(frozen=True)
class Corrupted:
    """The simulated core with flipped bits."""

    images: int
    wrong_bits: int


@dataclass(frozen=True)
class SoftErrors:
    """Of `make softerrors`."""

    geometry: Geometry
    images: int
    draws: int
    seed: int
    accuracy: float
    curves: dict[str, Curve]
    hardware: Corrupted


# ---- answers


@dataclass(frozen=True)
class Simulation:
    """Of `make sim`. None: too few batches to tell, or images without labels."""

    simulator: str
    network: str
    geometry: Geometry
    widths: list[int]
    images: int
    flip: str | None
    wrong_bits: int
    first_difference: str | None
    accuracy: float | None
    model_accuracy: float | None
    hidden_bits_checked: int
    accumulators_checked: int
    batch_cycles: float | None
    model_batch_cycles: float
    cycles_per_image: float | None
    model_cycles_per_image: float
    latency_cycles: float | None
    model_latency_cycles: float
    counters: dict[str, int]
    busy: float
    images_per_second: float
    dataset: str | None = None


# ---- speed and area


@dataclass(frozen=True)
class Core:
    """A core that was simulated and synthesised."""

    geometry: Geometry
    images: int
    wrong_bits: int
    accuracy: float
    cycles_per_image: float
    cycles: int
    busy: float
    model_cycles_per_image: float
    model_cycles: int
    alm: float
    m10k: int


@dataclass(frozen=True)
class Port:
    """Cycles an image through one port of weights."""

    lanes: int
    measured: float
    modelled: float
    weight_stall_cycles: int
    wrong_bits: int


@dataclass(frozen=True)
class Bench:
    """Of `make bench`."""

    throughput: Core
    latency: Core
    default: Core
    original: Core
    lanes_scaling: list[Port]
    xnor_per_cycle_per_alm: float
    images_per_second: float
    yosys: str


@dataclass(frozen=True)
class Form:
    """A form of the PE array in one size."""

    xnor_per_cycle_per_alm: float


@dataclass(frozen=True)
class Area:
    """Of `make area`: forms by name and SIMD, and what the names mean."""

    forms: dict[str, dict[str, Form]]
    labels: dict[str, str]
    coder_alm: dict[str, float]
    pe: int
    acc_bits: int
    yosys: str


@dataclass(frozen=True)
class There:
    """What the FPGA of a board has."""

    alm: int
    m10k: int


@dataclass(frozen=True)
class Board:
    """Of `make board`."""

    board: str
    geometry: Geometry
    images: int
    alm: float
    m10k: int
    dsp: int
    flip_flops: int
    available: There
    yosys: str


@dataclass(frozen=True)
class Step:
    """A part of the critical path; it has a net or a cell that it leads to."""

    kind: str
    to: str
    net: str
    delay_ns: float


@dataclass(frozen=True)
class Route:
    """Of `make route`."""

    fmax_mhz: float
    target_mhz: float
    xnor_per_cycle: int
    top: str
    device: str
    geometry: Geometry
    lut4: int
    ff: int
    ebr: int
    available: dict[str, int]
    critical_path: list[Step]


@dataclass(frozen=True)
class Device:
    """An FPGA, and what a block of its RAM is called."""

    board: str
    block: str


@dataclass(frozen=True)
class Explored:
    """A geometry, and what it is worth for the network."""

    pe: int
    simd: int
    lanes: int
    cycles_per_image: float
    latency: int
    alm: float
    blocks: int


@dataclass(frozen=True)
class Exploration:
    """Of `make explore`."""

    device: Device
    widths: list[int]
    fit: int
    front: list[Explored]
    picks: dict[str, Explored]
    named: dict[str, Explored]
    table: list[Explored]


@dataclass(frozen=True)
class Activity:
    """A core of `make activity`."""

    geometry: Geometry
    toggles_per_image: float
    register_toggles_per_image: float
    logic_toggles_per_image: float
    toggles_per_register_bit_and_cycle: float
    cycles_per_image: float


@dataclass(frozen=True)
class Anchor:
    """A published system; None is what is not known of it."""

    design: str
    network: str
    accuracy: float
    cycles_per_image: float | None
    latency_cycles: float | None
    area: str | None
    source: str


# ---- reading


def _exact(value: Any, kind: Any) -> Any:
    """A value of JSON only where it has the type; cattrs would convert it."""
    allowed = {float: (int, float), int | str: (int, str)}.get(kind, (kind,))
    if type(value) not in allowed:
        raise TypeError(f"{value!r} is not of type {kind}")
    return value


_CONVERTER = cattrs.Converter()
for _kind in (int, float, str, int | str):
    _CONVERTER.register_structure_hook(_kind, _exact)


@_CONVERTER.register_structure_hook_factory(is_dataclass)
def _fields(kind: type[T], converter: cattrs.Converter) -> Callable[[Any, Any], T]:
    """The fields of a dataclass out of an object of JSON, and of nothing else."""
    read = make_dict_structure_fn(kind, converter)

    def checked(value: Any, kind: Any) -> T:
        if not isinstance(value, dict):
            raise TypeError(f"{value!r} is no object")
        return read(value, kind)

    return checked


def structure(data: Any, kind: type[T]) -> T:
    """What a file of JSON holds as a `kind`; `ValueError` that names the first thing that is
    missing or of another type."""
    outer = getattr(kind, "__origin__", dict)
    if not isinstance(data, outer):
        raise ValueError(f"{type(data).__name__} where a {outer.__name__} belongs")
    try:
        return _CONVERTER.structure(data, kind)
    except Exception as error:
        if isinstance(error, cattrs.BaseValidationError):
            raise ValueError(cattrs.transform_error(error)[0]) from error
        raise
