# SPDX-License-Identifier: Apache-2.0
"""What a core of a given `Geometry` takes of an FPGA: ALMs and blocks of RAM, without synthesis.

The unit is the estimate that verif/measure/synthesis.py makes from Yosys' `synth_intel_alm`: an ALM
for a function of six inputs, half an ALM for a smaller one, for a bit of an adder and for a bit of
MLAB. Flip-flops are free. It is an estimate of an estimate: verif/measure/test_area.py holds it to
within 15 % of Yosys' figure for whole cores. The blocks of RAM are Yosys' choice, exactly.

The model follows the structure of rtl/ file by file. The counters of a PE are counted one by one
with the rules of fcc_plane_counter.v; what has no simple structure (control, registers, table
check) is one constant. The constants were calibrated on Yosys 0.70 runs of whole small cores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from . import map_area
from .geometry import Geometry, ceil_div, slices

Shapes = tuple[tuple[int, int], ...]

# (words, bits) of the shapes of an M10K, as Yosys knows them (intel_alm/common/bram_m10k.txt). The
# two narrowest hold 8,192 bits only.
M10K_SHAPES: Shapes = ((8192, 1), (4096, 2), (2048, 5), (1024, 10), (512, 20), (256, 40))

# A memory that would fill less of its blocks than this, in percent, becomes MLABs (ibid.).
_MIN_FILL = 5
# Words of an MLAB.
_MLAB_WORDS = 32

# Level of the last register in fcc_plane_counter.v (CUT_B).
_CUT_B = 5

# Calibrated constants, in ALMs.
# a function of 2 to 6 inputs, many of them large (fcc_parity_coder, fcc_parity_prefix)
_CODER_PER_BIT = 0.93
_RING_PER_BIT = 0.95  # a choice of four and the way in of the late word (fcc_ring_block)
_LANE = 6.0  # control of a lane and of its PE array
_LANE_PER_GROUP = 0.6  # the enable of a group's hidden bits (fcc_lane, fcc_hidden_block)
_LEARN, _LEARN_PER_BEAT_BIT = 222.0, 0.9  # fcc_learner, fcc_label_splitter
_LEARN_PER_CLASS, _LEARN_PER_CLASS_LANE = 18.7, 5.1  # fcc_latents, fcc_learn_moves
_LEARN_PER_SHIFTED = 6.0  # fcc_sign_coder
_SINK = 85.0  # packet control (fcc_image_sink) ...
_SINK_PER_SYMBOL = 15.0  # ... a comparator and a mask for every byte of a beat ...
_SINK_PER_BIT = 0.09  # ... and a decoded enable for every granule
_BATCHER = 36.0  # timeout and time stamp of the oldest image (fcc_batcher) ...
_BATCHER_LANES = 36.0  # ... and the waiting for further images
_RESULT = 75.0  # packets and argmax (fcc_result_source) ...
_RESULT_PER_BIT = 0.45  # ... and the choice of a class, for every bit of a score
_RESULT_PER_LANE_BIT = 0.25  # the choice of a lane, for every bit of a score and lane
_SINK_RESIDUAL_PER_SYMBOL = 15.0  # a second comparator, with a choice of thresholds
_PAIR_PER_LANE_BIT = 0.5  # the choice of an image's plane (fcc_batcher)
_PAIR_CONTROL = 50.0  # ids and results of pairs, addresses of fcc_margin_memory
_ROUNDS = 17.0  # two rounds through the words (fcc_sequencer, fcc_table_check)
_BANK = 18.0  # addresses of a further bank of the weight memory (fcc_weight_memory)
# fcc_csr, fcc_table_check (without its multipliers), fcc_sequencer, fcc_word_loader, fcc_load_crc;
# what fcc_chunk_shifter has is flip-flops.
_FIXED = 784.0


@dataclass(frozen=True)
class Area:
    """What a core takes."""

    alm: float
    """Adaptive logic modules, estimated."""
    blocks: int
    """Blocks of RAM (M10K)."""
    parts: dict[str, float]
    """ALMs by part; they add up to `alm`."""


def counter_alm(heights: Sequence[int]) -> float:
    """ALMs of fcc_plane_counter.v for one neuron; column w has heights[w] planes of weight 2^w.

    Every output of a 5:3 counter and of the last counter of a column is a function of at most five
    inputs: half an ALM. The levels are those of the RTL.
    """
    columns = len(heights)
    planes = list(heights)
    functions = 0
    level = 1
    while level <= _CUT_B or any(height > 1 for height in planes):
        after = [0] * columns
        settled = True
        for column, height in enumerate(planes):
            top = column == columns - 1
            fives = 0 if top else height // 5
            last = height if settled and height > 1 and (height < 5 or top) else 0
            has_fours = column + 2 < columns
            functions += fives * (3 if has_fours else 2)
            if last:
                functions += 1 + (not top) + (has_fours and last == 4)
            after[column] += height - 4 * fives - (last - 1 if last else 0)
            if not top:
                after[column + 1] += fives + (last != 0)
            if has_fours:
                after[column + 2] += fives + (last == 4)
            settled = settled and height <= 1
        planes = after
        level += 1
    return functions / 2


@cache
def popcount_alm(simd: int) -> float:
    """ALMs of xnor_popcount.v for one PE: carries, parity nodes, parity of the word, counters.

    A carry has five inputs because every fourth parity is a node of its own; that node and the
    parity of the whole word are functions of two.
    """
    carries = simd // 2
    nodes = (simd + 1) // 4
    word_parity = 0 if simd % 4 == 3 else 1
    columns = simd.bit_length()
    heights = [1, *([carries] + [0] * (columns - 2) if columns > 1 else [])]
    return (carries + nodes + word_parity) / 2 + counter_alm(heights)


@lru_cache(maxsize=1 << 16)
def memory(width: int, depth: int, shapes: Shapes = M10K_SHAPES) -> tuple[int, float]:
    """(blocks of RAM, ALMs) of a memory of `depth` words of `width` bits.

    The ALMs are those of MLABs, or of a multiplexer behind blocks that stand one above the other.

    The rule is that of Yosys' pass memory_bram: the shape that fills its blocks best, in whole
    percent, then with the fewest blocks, then with the fewest of them above each other; MLABs where
    every shape stays below 5 %, and flip-flops where these would, too.
    """
    best: tuple[int, int, int] | None = None
    for words, bits in shapes:
        high = ceil_div(depth, words)
        blocks = high * ceil_div(width, bits)
        fill = 100 * width * depth // (blocks * words * bits)
        if fill >= _MIN_FILL and (best is None or (fill, -blocks, -high) > best):
            best = (fill, -blocks, -high)
    if best is None:
        mlabs = ceil_div(depth, _MLAB_WORDS)
        return 0, width * mlabs / 2 if 100 * depth >= _MIN_FILL * mlabs * _MLAB_WORDS else 0.0
    return -best[1], width * multiplexer_alm(-best[2])


def multiplexer_alm(inputs: int) -> float:
    """ALMs that choose one of `inputs` bits.

    A function of five inputs takes in two more: the bits, their selects, and what was before.
    """
    return inputs // 2 / 2


def weight_banks(geometry: Geometry) -> list[int]:
    """Words of every bank of the weight memory; none where weights are streamed."""
    if geometry.weight_stream:
        return []
    full, rest = divmod(geometry.weight_depth, geometry.bank_depth)
    return [geometry.bank_depth] * full + ([rest] if rest else [])


def memories(geometry: Geometry) -> list[tuple[int, int]]:
    """(bits, words) of every memory: the banks of weights, the offsets, the margins where lanes
    work in pairs, and those of images and maps."""
    g = geometry
    words = [(g.pe * g.simd, depth) for depth in weight_banks(g)]
    words.append((g.pe * g.score_bits, g.threshold_depth))
    if g.order == 2:
        words.append((2 * g.pe * (g.score_bits - 1), g.threshold_depth))
    if g.map_input:
        words += map_area.own_memories(g)
    if g.learn:
        words.append((8 * g.learn, g.max_width))
    return words


@lru_cache(maxsize=1 << 16)
def sliced_memory(width: int, depth: int, shapes: Shapes = M10K_SHAPES) -> tuple[int, float]:
    """(blocks of RAM, ALMs) of a memory that stands in slices (fcc_memory_bank.v)."""
    parts = [(memory(bits, depth, shapes), n) for bits, n in Counter(slices(width)).items()]
    return sum(n * blocks for (blocks, _), n in parts), sum(n * alm for (_, alm), n in parts)


def block_count(geometry: Geometry, shapes: Shapes = M10K_SHAPES) -> int:
    """Blocks of RAM of all memories."""
    return sum(sliced_memory(*sizes, shapes)[0] for sizes in memories(geometry))


def pair_alm(geometry: Geometry) -> float:
    """ALMs that pairs of lanes take: two adders and two bits for each PE (fcc_pair), the second
    plane of an image, control."""
    g = geometry
    each = g.pe * g.score_bits + _PAIR_PER_LANE_BIT * g.capacity
    return g.lanes / 2 * each + _SINK_RESIDUAL_PER_SYMBOL * g.image_width / 8 + _PAIR_CONTROL


def learner_alm(geometry: Geometry) -> float:
    """ALMs of learning: control and registers, the label's way, the bit of each lane's word, every
    class and what of it is there for each lane, and, where PEs do not fill chunks, a shifter."""
    g = geometry
    classes = g.learn * (_LEARN_PER_CLASS + _LEARN_PER_CLASS_LANE * g.lanes)
    shifter = _LEARN_PER_SHIFTED * min(g.pe, g.learn) if g.pe % 32 else 0.0
    bits = g.lanes * multiplexer_alm(g.simd)
    return _LEARN + _LEARN_PER_BEAT_BIT * g.image_width + bits + classes + shifter


def lane_alm(geometry: Geometry) -> dict[str, float]:
    """ALMs of one lane, by part."""
    groups = ceil_div(geometry.max_width, geometry.pe)
    # fcc_accumulators: an adder for every bit, an OR with the offset for those that a count
    # reaches, or, where sums are halved, a choice for every bit.
    bits = geometry.score_bits - 1
    accumulator = (bits + (bits if geometry.numbers else geometry.simd.bit_length())) / 2
    return {
        "popcount": geometry.pe * popcount_alm(geometry.simd),
        "accumulators": geometry.pe * accumulator,
        "ring": 0.0 if geometry.map_input else _RING_PER_BIT * geometry.capacity,
        "parity coders": _CODER_PER_BIT * geometry.simd * geometry.taps,
        "lane control": _LANE + (0.0 if geometry.map_input else _LANE_PER_GROUP * groups),
    }


def estimate(geometry: Geometry, shapes: Shapes = M10K_SHAPES) -> Area:
    """What the whole core takes, xnor_fcc.v and everything below it."""
    g = geometry
    parts = {name: g.lanes * alm for name, alm in lane_alm(g).items()}
    banks = weight_banks(g)
    word = g.pe * g.simd
    parts["bank selection"] = word * multiplexer_alm(len(banks)) + _BANK * max(0, len(banks) - 1)
    parts["memory in logic"] = sum(sliced_memory(*sizes, shapes)[1] for sizes in memories(g))
    score_bits = g.max_classes * g.score_bits
    if g.map_input:
        parts["result source"] = _RESULT + score_bits * _RESULT_PER_BIT
        parts |= map_area.parts(g)
        parts["registers and control"] += _ROUNDS if g.ternary else 0.0
        return Area(sum(parts.values()), block_count(g, shapes), parts)
    parts["image sink"] = (
        _SINK + _SINK_PER_SYMBOL * g.image_width / 8 + _SINK_PER_BIT * g.capacity
    )
    parts["batcher"] = _BATCHER + (_BATCHER_LANES if g.lanes > 1 else 0.0)
    parts["result source"] = _RESULT + score_bits * (
        _RESULT_PER_BIT + (_RESULT_PER_LANE_BIT * g.lanes if g.lanes > 1 else 0.0)
    )
    parts["pairs of lanes"] = pair_alm(g) if g.order == 2 else 0.0
    parts["registers and control"] = _FIXED + (_ROUNDS if g.ternary else 0.0)
    parts["learning"] = learner_alm(g) if g.learn else 0.0
    return Area(sum(parts.values()), block_count(g, shapes), parts)
