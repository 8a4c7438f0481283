# SPDX-License-Identifier: Apache-2.0
"""What the report.json of a simulation holds, and what every report says of its source."""

from __future__ import annotations

from typing import Any, TypedDict


class Source(TypedDict):
    """What was measured on."""

    commit: str | None
    """Short; None outside a repository."""
    dirty: bool
    """Whether files of the repository differ from it."""
    rtl: str
    """`provenance.rtl_hash`."""


class Measured(TypedDict):
    """What the testbench measures of a stream of images; cycles beside the model's."""

    images: int
    wrong_bits: int
    first_difference: str | None
    accuracy: float | None
    model_accuracy: float | None
    hidden_bits_checked: int
    accumulators_checked: int
    cycles_per_image: float | None
    """None where no two full batches followed each other."""
    model_cycles_per_image: float
    batch_period_cycles: list[int]
    model_batch_period_cycles: int
    batch_cycles: float
    model_batch_cycles: int
    latency_cycles: int
    model_latency_cycles: int
    counters: dict[str, int]
    stream_cycle: int
    busy: float
    simulated_cycles: int
    simulated_cycles_per_second: float
    reference_seconds: float
    streaming_seconds: float
    simulation_seconds: float
    images_per_second: float


class About(TypedDict):
    """What was simulated."""

    simulator: str
    network: str
    dataset: str | None
    inputs: str
    flip: str | None


class Simulation(About, Measured):
    """What report.json holds."""

    trace: str | None
    geometry: dict[str, Any]
    """The fields of `Geometry`."""
    widths: list[int]
    kinds: list[str]
    build_seconds: float
    seconds: float
    source: Source
