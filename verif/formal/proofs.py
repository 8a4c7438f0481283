# SPDX-License-Identifier: Apache-2.0
"""The table of the proofs and of their twins; verif/formal/README.md tells more of each."""

from __future__ import annotations

from dataclasses import dataclass

PROVE, BOUNDED = "prove", "bmc"


@dataclass(frozen=True)
class Twin:
    """A fault: `old`, which stands exactly once in rtl/`file`, becomes `new`."""

    file: str
    old: str
    new: str
    depth: int = 0
    """Cycles within which it must be found; 0: those of the proof."""


@dataclass(frozen=True)
class Proof:
    """A property module, verif/formal/`top`.v, and how it is proven."""

    name: str
    claim: str
    mode: str
    """PROVE: for all time, by induction over `depth` cycles. BOUNDED: for the first `depth`."""
    depth: int
    twin: Twin
    top: str = ""
    """Property module, if not of the same name."""
    parameters: tuple[tuple[str, int], ...] = ()

    @property
    def reach(self) -> int | str:
        """How far it goes: a number of cycles, or all of them."""
        return "unbounded" if self.mode == PROVE else self.depth


PROOFS: tuple[Proof, ...] = (
    Proof(
        "parity_coder",
        "running parities of words of 1 to 33 bits",
        PROVE,
        4,
        Twin("fcc_parity_coder.v", "{BITS{ahead[b-1]}}", "{BITS{parity[b-1]}}"),
    ),
    Proof(
        "popcount",
        "equal bits of words of 1 to 12 bits, for two PEs",
        PROVE,
        5,
        Twin("xnor_popcount.v", "(s & y) | (s & z) | (y & z)", "(s & y) | (s & z)"),
    ),
    Proof(
        "accumulate",
        "a group's result is its offset plus the equal bits of all its words",
        PROVE,
        7,
        Twin("fcc_accumulators.v", "clear_s1 <= reset | last;", "clear_s1 <= reset;", depth=12),
    ),
    Proof(
        "argmax",
        "the class is the first of the highest scores",
        PROVE,
        3,
        Twin("fcc_argmax.v", "$signed(score) > $signed(", "$signed(score) >= $signed("),
    ),
    Proof(
        "ring",
        "tap p shows word (p + r) mod words after r rotations, for every number of words",
        PROVE,
        4,
        Twin("fcc_ring.v", "source[TAPS%w] = source[TAPS%w]", "source[TAPS-w] = source[TAPS-w]"),
    ),
    Proof(
        "sequencer",
        "a pass visits every (layer, group, step) exactly once, in order, and ends",
        PROVE,
        5,
        Twin("fcc_sequencer.v", "(group_reg == 0);", "(group_reg <= 1);", depth=20),
    ),
    Proof(
        "sequencer_overlap",
        "the same where layers overlap with the core's own pipeline of 7 cycles",
        PROVE,
        5,
        Twin("fcc_sequencer.v", "hidden_words - TAP_WORDS", "hidden_words", depth=30),
        top="sequencer",
        parameters=(("RING", 9), ("TAPS", 1), ("MAX_LAYERS", 2), ("GROUPS", 2), ("DRAIN", 7)),
    ),
    Proof(
        "sequencer_wide",
        "the same with more PEs than synapses, where layers must not overlap",
        PROVE,
        5,
        Twin("fcc_sequencer.v", "(PE <= SIMD)", "(PE <= SIMD + 1)", depth=20),
        top="sequencer",
        parameters=(("PE", 3), ("TAPS", 3)),
    ),
    Proof(
        "sequencer_ternary",
        "the same where layers may have ternary weights: two rounds through a group's words",
        PROVE,
        5,
        Twin("fcc_sequencer.v", "(word_reg == 0) && !round_reg", "(word_reg == 0)", depth=20),
        top="sequencer",
        parameters=(("TERNARY", 1), ("TAPS", 1), ("MAX_LAYERS", 2), ("GROUPS", 2)),
    ),
    Proof(
        "word_loader",
        "words are the chunks in order; no word beyond the memory, no count beyond its size",
        PROVE,
        4,
        Twin("fcc_word_loader.v", "else if (chunk_valid && full)", "else if (0)"),
    ),
    Proof(
        "word_loader_again",
        "the same where words can be written again, which nothing that counts knows of",
        PROVE,
        4,
        Twin("fcc_word_loader.v", "assign again = restart || seek;", "assign again = restart;", 10),
        top="word_loader",
        parameters=(("PATCH", 1),),
    ),
    Proof(
        "weight_stream",
        "weight words leave in order, none lost; out-of-step packets stop it",
        PROVE,
        6,
        Twin("fcc_weight_stream.v", "(!arrived_reg || advance)", "1'b1", depth=12),
    ),
    Proof(
        "table_check",
        "accepts exactly the legal tables; complete: a check is over within these cycles",
        BOUNDED,
        15,
        Twin("fcc_table_check.v", "inputs32 + SIMD > reads_reg", "inputs32 + SIMD >= reads_reg"),
    ),
    Proof(
        "table_check_kinds",
        "the same where layers may have inputs of order 2 and ternary weights",
        BOUNDED,
        15,
        Twin("fcc_table_check.v", "pixel_mode || layer_reg != 0", "pixel_mode || layer_reg == 0"),
        top="table_check",
        parameters=(("ORDER", 2), ("TERNARY", 1)),
    ),
    Proof(
        "batcher",
        "batches of 1 to LANES images in order, offered when full or after the timeout",
        PROVE,
        4,
        Twin("fcc_batcher.v", "!full && !load_image", "!load_image", depth=16),
    ),
    Proof(
        "batcher_pairs",
        "the same where an image may take two lanes, with one plane or with two",
        PROVE,
        4,
        Twin("fcc_batcher.v", "(ORDER == 2) && LOW && planes", "1'b0", depth=8),
        top="batcher",
        parameters=(("LANES", 4), ("ORDER", 2)),
    ),
    Proof(
        "pair",
        "two lanes' scores and bits are those of the sum of their planes",
        PROVE,
        4,
        Twin("fcc_pair.v", "ACC_BITS - 1) {1'b0}}, first}", "ACC_BITS - 1) {1'b0}}, 1'b1}"),
    ),
    Proof(
        "result_source",
        "beats stay until taken; scores, class and id in packets of classes + 1 beats",
        PROVE,
        4,
        Twin("fcc_result_source.v", "(!aso_valid || aso_ready)", "1'b1", depth=12),
    ),
    Proof(
        "image_sink",
        "exactly the well-formed packets are staged, bit for bit, and stay until taken",
        PROVE,
        4,
        Twin("fcc_image_sink.v", "enable && !staged_valid;", "enable;", depth=16),
    ),
    Proof(
        "image_sink_wide",
        "the same with beats of four bytes",
        PROVE,
        4,
        Twin("fcc_image_sink.v", "(asi_empty < expected_empty)", "1'b0", depth=10),
        top="image_sink",
        parameters=(("WIDTH", 32), ("CAPACITY", 13), ("ORDER", 1)),
    ),
    Proof(
        "order",
        "results leave in the order in which images arrived, none lost, none doubled",
        PROVE,
        6,
        Twin("fcc_result_source.v", "lane_reg  <= next_lane;", "", depth=30),
    ),
    Proof(
        "window_feeder",
        "of every word, each pixel comes from its own place in the maps or the images",
        PROVE,
        7,
        Twin("fcc_window_feeder.v", "(row == 2'd2)", "(row != 2'd0)"),
    ),
    Proof(
        "map_sequencer",
        "a pass visits every (layer, block, group, word) once, in order, in the cycles documented",
        PROVE,
        5,
        Twin("fcc_map_sequencer.v", "repeat_reg == 2'd3", "repeat_reg == 2'd2", depth=20),
    ),
    Proof(
        "map_writer",
        "every slot of a map is written once, to its place, pooled or not, and nothing else",
        PROVE,
        5,
        Twin("fcc_map_writer.v", "!(repeated && outside)", "1'b1", depth=14),
    ),
    Proof(
        "map_writer_whole",
        "the same where a group fills a slot, of activations of one bit",
        PROVE,
        5,
        Twin("fcc_map_writer.v", "line_turns = !pool || ", "line_turns = ", depth=10),
        top="map_writer",
        parameters=(
            *(("PE", 2), ("SLOT", 2), ("ORDER", 1)),
            *(("SIDE", 7), ("GROUPS", 2), ("ODD", 32)),
        ),
    ),
    Proof(
        "map_table_check",
        "tables of layers of maps: exactly the legal ones are accepted, in time",
        BOUNDED,
        30,
        Twin("fcc_map_table_check.v", "(words32 >= 1) && ", ""),
    ),
    Proof(
        "label_splitter",
        "a packet leaves without its last byte, which is its label, whatever beat that stood in",
        PROVE,
        4,
        Twin("fcc_label_splitter.v", "alone && !asi_startofpacket", "alone", depth=8),
    ),
    Proof(
        "learn_walk",
        "every synapse once and in order, its chunks when they are full, in the documented cycles",
        BOUNDED,
        60,
        Twin("fcc_learn_walk.v", "&& !(|after[FILL_BITS-1:5])", "&& !full"),
    ),
    Proof(
        "learn_walk_wide",
        "the same where a synapse is longer than a chunk",
        BOUNDED,
        48,
        Twin("fcc_learn_walk.v", "(is_image || words == 16'd1) ? {ROW", "is_image ? {ROW"),
        top="learn_walk",
        parameters=(("PE", 40), ("SIMD", 2)),
    ),
    Proof(
        "latents",
        "a latent becomes itself and what the lanes add up to, clipped once, in its own row",
        BOUNDED,
        14,
        Twin("fcc_latents.v", "write_address(write ? row_s5", "write_address(write ? row_s4"),
    ),
    Proof(
        "registers",
        "reads, counters, errors; the configuration stands still while something runs",
        PROVE,
        3,
        Twin("fcc_csr.v", "occupied_reg <= running_reg || busy", "occupied_reg <= running_reg", 10),
    ),
    Proof(
        "core",
        "the whole core: scores and classes for all weights, thresholds and images",
        BOUNDED,
        82,
        Twin("fcc_engine.v", "(ORDER == 2) ? 9 : 7;", "(ORDER == 2) ? 9 : 6;"),
    ),
    Proof(
        "core_kinds",
        "the whole core with activations of order 2, ternary weights and 8-bit pixels",
        BOUNDED,
        78,
        Twin("fcc_lanes.v", "l % 2 == 1 && combine_s1", "l % 2 == 0 && combine_s1"),
    ),
)
