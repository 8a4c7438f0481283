# SPDX-License-Identifier: Apache-2.0
"""The faults that tests of the serial link are shown to find."""

from __future__ import annotations

from faults import Fault

_FRAMES, _HOST = "fcc_uart_frames.v", "fcc_uart_host.v"

FAULTS = {
    "checksum": Fault(_FRAMES, "verified && crc != RESIDUE", "verified && 1'b0", "byte 0"),
    "stop bit": Fault(_FRAMES, "listening && rx_valid && rx_error", "1'b0", "stop bit"),
    "silence": Fault(_FRAMES, "listening && silent && !idle", "1'b0", "no fault"),
    "overrun": Fault(_FRAMES, "store && write_next == read_reg", "1'b0", "no fault"),
    "fault waits": Fault(_FRAMES, "silent && fault == 3'd0", "silent", "before the fault"),
    "flush": Fault(_FRAMES, "      read_reg <= commit_reg;\n      fetched", "      fetched", "flush"),
    "empty": Fault(_HOST, "empty_reg <= empty_reg + 1'b1", "empty_reg <= empty_reg", "image"),
    "stuck": Fault(_HOST, "&& tick && waited_reg", "&& 1'b0", "no reply"),
    "result": Fault(_HOST, "asi_result_endofpacket != (wanted_reg == 16'd1)", "1'b0", "status"),
    "address": Fault(_HOST, "kind_reg[5:0] + 1'b1", "kind_reg[5:0]", "registers"),
}
