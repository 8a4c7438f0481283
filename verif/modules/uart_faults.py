# SPDX-License-Identifier: Apache-2.0
"""The faults that tests of the serial link are shown to find."""

from __future__ import annotations

from faults import Fault

_RECEIVER, _TRANSMITTER = "fcc_uart_receiver.v", "fcc_uart_transmitter.v"
_CRC, _FRAMES, _HOST = "fcc_uart_crc.v", "fcc_uart_frames.v", "fcc_uart_host.v"
_FLUSH = "      read_reg <= commit_reg;\n"

# By the name of the test that must find it, and what it is.
FAULTS = {
    "every_byte: late": Fault(_RECEIVER, "DIVIDER / 2 - 1", "DIVIDER - 3", "assert"),
    "no_stop_bit: error": Fault(_RECEIVER, "error <= !line", "error <= 1'b0", "assert"),
    "glitches: start": Fault(_RECEIVER, "active_reg <= !line", "active_reg <= 1'b1", "assert"),
    "every_byte: no stop bit": Fault(_TRANSMITTER, "4'd10", "4'd9", "assert"),
    "every_cycle: rate": Fault(_TRANSMITTER, "left_reg == 4'd1 && over", "1'b0", "assert"),
    "random_bytes: shift": Fault(_CRC, "left_reg <= 4'd8", "left_reg <= 4'd7", "assert"),
    "damage: checksum": Fault(_FRAMES, "verified && crc != RESIDUE", "verified && 1'b0", "byte 0"),
    "damage: stop bit": Fault(_FRAMES, "listening && rx_valid && rx_error", "1'b0", "stop bit"),
    "cuts: silence": Fault(_FRAMES, "listening && silent && !idle", "1'b0", "no fault"),
    "overruns: overrun": Fault(_FRAMES, "store && write_next == read_reg", "1'b0", "no fault"),
    "cuts: fault waits": Fault(_FRAMES, "silent && fault == 3'd0", "silent", "before the fault"),
    "after_reset: quiet": Fault(_FRAMES, "quiet_reg  <= 1'b0", "quiet_reg  <= 1'b1", "silence"),
    "flushes: flush": Fault(_FRAMES, _FLUSH, "", "flush"),
    "images: empty": Fault(_HOST, "empty_reg <= empty_reg + 1'b1", "empty_reg <= 7'd0", "image"),
    "ahead: flush": Fault(_HOST, "flush = stuck ||", "flush = 1'b0 &&", "no reply"),
    "damage: earlier": Fault(
        _HOST, "status_reg <= 3'd0;\n          state_reg  <=", "state_reg <=", "status"
    ),
    "last_moment: answered": Fault(_HOST, "!given && !answered && tick", "!given && tick", "0"),
    "dead_core: stuck": Fault(_HOST, "&& tick && waited_reg", "&& 1'b0", "no reply"),
    "dead_core: given": Fault(_HOST, "given = (state_reg == GIVE) &&", "given =", "no reply"),
    "dead_core: result": Fault(
        _HOST, "asi_result_endofpacket != (wanted_reg == 16'd1)", "1'b0", "status"
    ),
    "registers: address": Fault(_HOST, "kind_reg[5:0] + 1'b1", "kind_reg[5:0]", "registers"),
}
