# SPDX-License-Identifier: Apache-2.0
"""Corrupted memories in the simulated core: the model of soft_errors.py holds in every bit, and a
corrupted load shows in the checksum registers, which a bit that flips later does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cocotb
import numpy as np

from measure.soft_errors import (
    corrupted,
    draw,
    flip_weights,
    layer_sums,
    weight_bits,
    weights_in,
)
from modules.unit import join, planes
from xnor_fcc.geometry import SLICE, Geometry, slices
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.loading import load_checks, load_crc
from xnor_fcc.pack import Memory, pack
from xnor_fcc.registers import ADDRESS
from xnor_fcc_sim.bench import Bench
from xnor_fcc_sim.checks import Expected
from xnor_fcc_sim.packets import bit_packet
from xnor_fcc_sim.settings import settings
from xnor_fcc_sim.streams import write_burst
from xnor_fcc_sim.traffic import patience

_TIMEOUT = 100
_LIMIT_MS = 10_000


class Remembered(Expected):
    """What a core must answer that computes with the contents of `memory`, whatever they are."""

    def __init__(self, memory: Memory, network: IntegerNetwork, bits: np.ndarray) -> None:
        self.network = network
        self.x, self.lanes = bits, 1
        # Unused neurons are compared, too, as far as the ring has room for them.
        sums = [each[:, : memory.geometry.capacity]
                for each in layer_sums(memory, weights_in(memory), bits)]
        scores = sums[-1][:, : memory.classes]
        self.sums = [*sums[:-1], scores]
        self.hidden = [[[planes(row[None]) for row in layer >= 0]] for layer in sums[:-1]]
        self.scores = scores.tolist()
        self.classes = scores.argmax(axis=1).tolist()


async def answers(
    bench: Bench, memory: Memory, network: IntegerNetwork, bits: np.ndarray
) -> int:
    """Start, send all images, compare with what `memory` says, stop: the hidden bits compared."""
    bench.expect(network, bits)
    bench.results.expected = Remembered(memory, network, bits)
    await bench.write("PARTIAL_TIMEOUT", _TIMEOUT)
    await bench.start()
    for number, row in enumerate(bits):
        bench.append(number, bit_packet(row))
    await bench.drain(patience(memory.geometry, network.widths, _TIMEOUT))
    await bench.stop()
    return bench.passes.hidden_bits


@cocotb.test(timeout_time=_LIMIT_MS, timeout_unit="ms")
async def answers_of_corrupted_memories(dut: Any) -> None:
    """Memories loaded with flipped bits: every score, class and hidden bit, and the accumulators
    of the first batches, are those of the model. Settings: see `soft_errors.simulate`."""
    want = settings()
    geometry = Geometry(**want["geometry"])
    network = IntegerNetwork.load(want["network"])
    bits = np.load(want["bits"])
    good = pack(network, geometry)
    bench = Bench(dut, geometry, deep_batches=2, full_rate=True)
    await bench.reset()
    hidden_bits = 0
    for flips in want["flips"]:
        memory = corrupted(good, flips, want["seed"])
        unknown = draw(weight_bits(memory), want["unknown"], want["seed"], 1)
        await bench.load(flip_weights(memory, unknown))
        hidden_bits += await answers(bench, memory, network, bits)
    report = {
        "flips": sum(want["flips"]),
        "flips_by_load": want["flips"],
        "images": len(bench.results.answered),
        "hidden_bits": hidden_bits,
        "wrong_bits": bench.failures.wrong_bits,
        "first_difference": bench.failures.all[0].where if bench.failures.all else None,
    }
    Path(want["report"]).write_text(json.dumps(report))
    bench.check(len(want["flips"]) * len(bits))
    assert hidden_bits >= len(want["flips"]) * len(bits) * sum(network.widths[1:-1])


def deposit(bench: Bench, contents: Memory) -> None:
    """Put the words of `contents` straight into the memories of the running simulation."""
    engine, g = bench.core.engine, contents.geometry

    def write(bank: Any, address: int, word: int, width: int) -> None:
        for number, bits in enumerate(slices(width)):
            part = word >> number * SLICE & (1 << bits) - 1
            bank.g_slice[number].slice.words.memory[address].value = part

    for address, word in enumerate(contents.weights):
        bank, place = divmod(address, g.bank_depth)
        memory = engine.weight_source.g_loaded.memory.g_bank[bank].bank
        write(memory, place, planes(word[None]), g.pe * g.simd)
    for address, offsets in enumerate(contents.offsets.tolist()):
        packed = join(offsets, g.score_bits)
        write(engine.threshold_source.offsets.bank, address, packed, g.pe * g.score_bits)


@cocotb.test(timeout_time=_LIMIT_MS, timeout_unit="ms")
async def flips_after_loading(dut: Any) -> None:
    """Bits that flip in memories once loaded: answers are those of the model, the checksums
    of the load stay as they were, and loading again mends it. Settings: geometry, network, seed."""
    want = settings()
    geometry = Geometry(**want["geometry"])
    network = IntegerNetwork.load(want["network"])
    rng = np.random.default_rng(want["seed"])
    bits = rng.integers(0, 2, (3 * geometry.lanes + 1, network.inputs)).astype(np.uint8)
    good = pack(network, geometry)
    bench = Bench(dut, geometry, deep_batches=2)
    await bench.reset()
    await bench.load(good)
    scores = []
    for flips in (0, 1, 30, weight_bits(good) // 2):
        memory = corrupted(good, flips, want["seed"])
        deposit(bench, memory)
        await answers(bench, memory, network, bits)
        scores.append(bench.expected.scores if bench.expected else [])
        for register, value in load_checks(good).items():
            assert await bench.read(register) == value, f"{register} sees {flips} flips"
    assert scores[0] == Expected(network, bits).scores != scores[-1]
    await bench.load(good)
    bench.expect(network, bits)
    await bench.start()
    for number, row in enumerate(bits):
        bench.append(number, bit_packet(row))
    await bench.drain(patience(geometry, network.widths, _TIMEOUT))
    bench.check(5 * len(bits))


def damaged(chunks: np.ndarray, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    """`chunks`, uint32 (N,), each time with something wrong; all differ from the original."""

    def flipped(places: np.ndarray) -> np.ndarray:
        flat = np.unpackbits(chunks.view(np.uint8), bitorder="little")
        flat[places] ^= 1
        return np.packbits(flat, bitorder="little").view("<u4")

    size = 32 * len(chunks)
    for count in (1, 1, 1, 1, 2, 2, 2, 3, 4, 8, 32, size // 2):
        yield f"{count} flipped bits", flipped(rng.choice(size, count, replace=False))
    start = int(rng.integers(0, size - 32))
    yield "a burst of 32", flipped(np.arange(start, start + 32))
    for end, place in (("first", 0), ("last", size - 1)):
        yield f"the {end} bit", flipped(np.array([place]))
    # Neighbours and chunks far apart, as long as they differ.
    first = int(rng.choice(np.flatnonzero(chunks[1:] != chunks[:-1])))
    second = int(rng.choice(np.flatnonzero(chunks != chunks[first])))
    for other in (first + 1, second):
        swapped = chunks.copy()
        swapped[[first, other]] = swapped[[other, first]]
        yield f"chunks {first} and {other} swapped", swapped
    for place in (0, first, len(chunks) - 1):
        yield f"chunk {place} lost", np.delete(chunks, place)
        yield f"chunk {place} doubled", np.insert(chunks, place, chunks[place])
    yield "nothing arrives", chunks[:0]


@cocotb.test(timeout_time=_LIMIT_MS, timeout_unit="ms")
async def corrupted_loads_show(dut: Any) -> None:
    """Each damage on the way in shows in the checksum of that memory, and in no other; a load that
    arrives as it was sent never does. Settings: geometry, network, seed."""
    want = settings()
    geometry = Geometry(**want["geometry"])
    good = pack(IntegerNetwork.load(want["network"]), geometry)
    rng = np.random.default_rng(want["seed"])
    bench = Bench(dut, geometry)
    await bench.reset()
    sent = {"WEIGHTS": good.weight_chunks().ravel(), "THRESHOLDS": good.offset_chunks().ravel()}
    checks = load_checks(good)
    seen = 0
    for select, (name, chunks) in enumerate(sent.items()):
        other = next(each for each in sent if each != name)
        for what, wrong in damaged(chunks, rng):
            await bench.load(good)  # which looks at the registers
            await bench.write("LOAD_SELECT", select)
            await write_burst(dut, ADDRESS["LOAD_DATA"], wrong.tolist())
            read = await bench.read(f"{name}_CRC")
            assert read != checks[f"{name}_CRC"], f"{name}: {what} is not seen"
            assert read == load_crc(wrong), f"{name}: {what} reads {read:#x}"
            untouched = await bench.read(f"{other}_CRC")
            assert untouched == checks[f"{other}_CRC"], f"{other} shows {what} of {name}"
            seen += 1
    dut._log.info("%d damaged loads seen", seen)
    await bench.load(good)
