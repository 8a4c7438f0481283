# SPDX-License-Identifier: Apache-2.0
"""Watches a running core that learns and samples the section "Learning" of plan.json, as
`monitor.Monitor` does with what every core for dense layers has."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from campaigns.coverage.monitor import bins_of_run
from xnor_fcc.learning import NO_LABEL

# States of fcc_learn_walk.
_STATES = ("", "a synapse is taken", "chunks leave", "all are on their way")


class LearnMonitor:
    """Samples one running core that learns; `bench` is its testbench."""

    def __init__(self, bench: Any) -> None:
        self.dut, self.core, self.geometry = bench.dut, bench.core, bench.geometry
        self.see = bins_of_run().see
        self.learner = self.core.engine.g_learn.learner
        self.splitter = self.core.image_input.g_labels.splitter
        # Learning is on, the core ran in the cycle before; the batch has had a label.
        self.ran = self.labelled = False
        self.task = cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        dut, core, learner, edge = self.dut, self.core, self.learner, RisingEdge(self.dut.clk)
        while True:
            await edge
            if dut.reset.value == 1:
                self.ran = False
                continue
            state = int(learner.walk.state_reg.value)
            running = core.running.value == 1
            if state and core.core_reset.value == 1:
                self.see("cut", _STATES[state])
            elif state and self.ran and not running:
                self.see("stopped", "in a walk")
            self.ran = running
            if core.check_done.value == 1:
                for error, name in ((learner.bad_table, "BAD_TABLE"),
                                    (learner.not_loaded, "NOT_LOADED")):  # fmt: skip
                    if error.value == 1:
                        self.see("not learnt", name)
                        break
            if core.learning.value != 1 or core.core_reset.value == 1:
                continue
            self._label()
            self._batch()
            self._ends()

    def _label(self) -> None:
        s = self.splitter
        if s.aso_valid.value != 1 or s.aso_ready.value != 1 or s.aso_endofpacket.value != 1:
            return
        label, classes = int(s.label.value), int(self.core.classes.value)
        kind = "none" if label == NO_LABEL else "a class" if label < classes else "no class"
        alone = s.closing.value == 1 and s.end_reg.value == 0
        self.see("label", kind, "alone" if alone else "beside pixels")

    def _batch(self) -> None:
        learner, g = self.learner, self.geometry
        if learner.load_image.value == 1:
            self.labelled = False
        if learner.learnt.value == 1:
            self.labelled = True
        if int(learner.sent_reg.value) & 2 == 0:
            return
        moves, ups = int(learner.moves.value), int(learner.ups.value)
        if not moves:
            self.see("still", "with labels" if self.labelled else "without a label")
            return
        up, down = bool(moves & ups), bool(moves & ~ups)
        lanes = 0
        while moves:
            lanes |= moves & (1 << g.lanes) - 1
            moves >>= g.lanes
        several = lanes & lanes - 1
        direction = "both" if up and down else "towards" if up else "away"
        self.see("moves", direction, "several" if several else "one")
        entry, layers = int(learner.entry_reg.value), int(self.core.layers.value)
        self.see(
            "walk",
            "the only one" if layers == 1 else "behind hidden ones",
            "one word" if entry & 0x7FFF == 1 else "several words",
            "one group" if entry >> 16 & 0x7FFF == 1 else "several groups",
        )
        self.see("chunks", "PE < 32" if g.pe < 32 else "PE = 32" if g.pe == 32 else "PE > 32")

    def _ends(self) -> None:
        latents = self.learner.latents
        if latents.write.value != 1:
            return
        row = int(latents.latents_s5.value)
        for number in range(self.geometry.learn):
            latent = row >> 8 * number & 0xFF
            if latent in (0x7F, 0x80):
                self.see("ends", "127" if latent == 0x7F else "-128")
