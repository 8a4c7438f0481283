# SPDX-License-Identifier: Apache-2.0
"""A stream of images through the core: what sim.py runs inside the simulator."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge

from xnor_fcc.geometry import Geometry
from xnor_fcc.images import read_images
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.pack import pack
from xnor_fcc_sim.answers import Answers
from xnor_fcc_sim.bench import Bench
from xnor_fcc_sim.clock import let_pass
from xnor_fcc_sim.packets import bit_packet, map_packet
from xnor_fcc_sim.reports import Measured
from xnor_fcc_sim.settings import settings
from xnor_fcc_sim.streams import ResultMonitor
from xnor_fcc_sim.watch import Tracer, Watch

# Packets kept waiting at the driver, enough to feed the core without a gap.
_QUEUE = 64
_TIMEOUT = 1000
# Clock cycles that are recorded at most, for the timeline of `make report`.
_RECORDED = 12_000


class Recorder:
    """What the core answered, and what was seen of its first batches."""

    def __init__(self, bench: Bench) -> None:
        """Listens to the results that `bench` checks; after `bench.reset`."""
        self.bench = bench
        self.packets: list[bytes] = []
        assert isinstance(bench.monitor, ResultMonitor)
        bench.monitor.callback = self._receive
        self.watch = Watch(bench)

    def _receive(self, packet: bytes) -> None:
        self.packets.append(packet)
        self.bench.results.receive(packet)

    async def run(self, cycles: int) -> None:
        """Watch so many clock cycles, from the first one with a beat of an image on."""
        await RisingEdge(self.bench.dut.asi_image_valid)
        end = self.bench.cycle() + cycles
        await self.watch.run(lambda: self.bench.cycle() < end)

    def write(self, path: Path, labels: np.ndarray) -> None:
        """Keep it for `make report`; `packets` must be of the length of a result."""
        packets = self.packets[1:]  # the first answer is that of the lone image
        words = np.array([np.frombuffer(packet, ">i4") for packet in packets], np.int32)
        first = min(self.watch.seen["image"], default=0)
        seen = self.watch.counted_from(first)
        del seen["step"]
        Answers(words[:, :-1], words[:, -1] >> 16, labels[: len(words)], **seen).write(path)


async def read_counters(bench: Bench) -> dict[str, int]:
    """The core's own counters: all cycles, and what they were used for."""
    names = ("CYCLES", "STEP_CYCLES", "BUSY_CYCLES", "STALL_CYCLES", "WEIGHT_STALL_CYCLES")
    return {name: await bench.read(name) for name in (*names, "IMAGES", "BATCHES")}


def share_of(answers: np.ndarray, labels: np.ndarray | None) -> float | None:
    """The share of the answers that are right; None without labels."""
    if labels is None:
        return None
    return float((answers == labels[: len(answers)]).mean()) if len(answers) else 0.0


@cocotb.test(timeout_time=100, timeout_unit="sec")
async def stream(dut) -> None:  # type: ignore[no-untyped-def]
    """Stream images and check every bit and cycle; see simulate.py for the settings."""
    want = settings()
    geometry = Geometry(**want["geometry"])
    network = IntegerNetwork.load(want["network"])
    loaded = IntegerNetwork.load(want["loaded"])
    shape = network.shape
    lanes = geometry.images_per_batch(shape)
    grey, labels = read_images(Path(want["images"]))
    images = len(grey)
    inputs = network.inputs_from(grey)
    # Inputs of order 2, and of maps, are made by the core, out of the pixels themselves.
    pixel_8bit = network.pixel_residual is not None or network.pixels is not None
    packets: Sequence[bytes]
    if network.pixels is not None:
        packets = [map_packet(network, image, geometry.image_width) for image in grey]
    elif pixel_8bit:
        packets = [image.tobytes() for image in grey]
    else:
        packets = list(map(bit_packet, inputs))
    progress = Path(want["progress"])

    bench = Bench(dut, geometry, deep_batches=2, full_rate=True)
    begin = time.monotonic()
    bench.expect(network, inputs)
    reference_seconds = time.monotonic() - begin
    started = time.monotonic()
    await bench.reset()
    recorder = Recorder(bench)
    progress.write_text("loading", encoding="utf-8")
    await bench.load(pack(loaded, geometry))
    await bench.write("PARTIAL_TIMEOUT", _TIMEOUT)
    await bench.start(pixel_8bit)

    # One image alone: the latency.
    patience = 4 * geometry.period_cycles(shape) + _TIMEOUT
    # The model's latency is that of a core whose first weight words wait for the image.
    await bench.weights_inside()
    await bench.send(0, packets[0])
    await bench.drain(patience)
    latency = await bench.read("LATENCY")
    single_deep = bench.passes.sums_checked

    # All of them, image after image.
    stream_cycle = bench.cycle()
    first_batch = len(bench.passes.starts)
    before = await read_counters(bench)
    span = geometry.load_cycles(shape) + geometry.latency_cycles(shape, 0)
    span += 2 * geometry.period_cycles(shape)
    # The timeline knows the modules of a core for dense layers.
    recorded = span <= _RECORDED and not geometry.map_input
    watch = cocotb.start_soon(recorder.run(span if recorded else 0))
    tracer = Tracer(bench, want["trace"]["image"]) if "trace" in want else None
    begin = time.monotonic()
    for image in range(images):
        waited_since, head = bench.cycle(), bench.results.head
        while image - bench.results.head > _QUEUE:
            await let_pass(dut.clk, 32)
            if bench.results.head != head:
                waited_since, head = bench.cycle(), bench.results.head
            assert bench.cycle() - waited_since < patience, f"no answer to image {head - 1}"
        bench.append(image, packets[image], tracer.event(image) if tracer else None)
        if image % 100 == 0:
            progress.write_text(str(image), encoding="utf-8")
    await bench.drain(patience)
    elapsed = time.monotonic() - begin
    counters = {name: value - before[name] for name, value in (await read_counters(bench)).items()}
    cycles = counters["CYCLES"]
    progress.write_text(str(images), encoding="utf-8")
    watch.cancel()
    answered = recorder.packets[1:]  # without that of the lone image
    if all(len(packet) == 4 * (network.classes + 1) for packet in answered):
        if "answers" in want and labels is not None:
            recorder.write(Path(want["answers"]), labels)
        if tracer is not None:
            chosen = want["trace"]
            label = None if labels is None else int(labels[chosen["image"]])
            about = {"label": label, **chosen["about"]}
            trace = tracer.trace(answered[chosen["image"]], grey[chosen["image"]].ravel(), about)
            trace.write(Path(chosen["file"]))

    # Periods that end in the start of a full batch; the last batch may wait for images in vain.
    counts = [count for _, count in bench.passes.batches[first_batch:]]
    periods = np.diff(bench.passes.starts[first_batch:])
    full = [int(p) for p, count in zip(periods, counts[1:], strict=True) if count == lanes]
    period = geometry.period_cycles(shape)
    if period != geometry.pass_cycles(shape):
        # Bound by a stream: the core runs ahead of it until it is stopped.
        full = full[2:][-3:]
    busy = await bench.read("BUSY_CYCLES") - await bench.read("STALL_CYCLES")
    busy -= await bench.read("WEIGHT_STALL_CYCLES")
    batches = await bench.read("BATCHES")
    # The first answer is that of the lone image.
    answers = np.array(bench.results.answered[1:])
    expected = np.array(bench.results.expected.classes if bench.results.expected else [])
    report: Measured = {
        "images": len(answers),
        "wrong_bits": bench.failures.wrong_bits,
        "first_difference": bench.failures.all[0].where if bench.failures.all else None,
        "accuracy": share_of(answers, labels),
        "model_accuracy": share_of(expected, labels),
        "hidden_bits_checked": bench.passes.hidden_bits,
        "accumulators_checked": bench.passes.sums_checked,
        "cycles_per_image": sum(full) / len(full) / lanes if full else None,
        "model_cycles_per_image": period / lanes,
        "batch_period_cycles": sorted(set(full)),
        "model_batch_period_cycles": period,
        "batch_cycles": busy / batches,
        "model_batch_cycles": geometry.pass_cycles(shape),
        "latency_cycles": latency - (_TIMEOUT if lanes > 1 else 0),
        "model_latency_cycles": geometry.latency_cycles(shape, 0),
        "counters": counters,
        "stream_cycle": stream_cycle,
        "busy": counters["STEP_CYCLES"] / cycles,
        "simulated_cycles": cycles,
        "simulated_cycles_per_second": cycles / elapsed,
        "reference_seconds": reference_seconds,
        "streaming_seconds": elapsed,
        "simulation_seconds": time.monotonic() - started,
        "images_per_second": images / (time.monotonic() - started),
    }
    Path(want["report"]).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")

    assert single_deep > 0 and bench.passes.sums_checked > 0
    await ClockCycles(dut.clk, 10)
    bench.check(images + 1)
    assert bench.passes.hidden_bits == (images + 1) * shape.hidden_bits
    assert await bench.read("ERROR") == 0 and await bench.read("DROPPED") == 0
    await bench.check_cycles(shape)
    assert report["latency_cycles"] == report["model_latency_cycles"]
    assert set(full) <= {period}
