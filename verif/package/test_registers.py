# SPDX-License-Identifier: Apache-2.0
"""The register map and the map of addresses fit, and so does what is generated from them."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from xnor_fcc import registers
from xnor_fcc.board import address_map
from xnor_fcc_sim.simulator import ROOT, RTL

HEADER = ROOT / "quartus" / "host" / "xnor_fcc.h"


def test_the_c_header_has_byte_offsets_and_masks() -> None:
    values = dict(re.findall(r"#define (XFCC_\w+) 0x(\w+)u", HEADER.read_text()))
    for name, address in registers.ADDRESS.items():
        assert int(values[f"XFCC_REG_{name}"], 16) == 4 * address
    for name, bits in registers.BIT.items():
        for field, bit in bits.items():
            assert int(values[f"XFCC_{name}_{field}"], 16) == 1 << bit


def test_no_two_parts_of_a_system_overlap() -> None:
    parts = sorted((start, address_map.SPAN[name]) for name, start in address_map.OFFSET.items())
    for (start, size), (following, _) in pairwise(parts):
        assert start + size <= following
    for start, size in parts:
        # Platform Designer wants a part at a multiple of its span.
        assert start % size == 0 and start + size <= address_map.REGISTER_BYTES
    jtag = address_map.BASE["jtag"]
    assert jtag["registers"] + address_map.REGISTER_BYTES <= jtag["buffer"]
    for base in address_map.BASE.values():
        assert base["buffer"] % address_map.BUFFER_BYTES == 0
    assert address_map.SPAN["core"] == 4 << registers.MAP["address_bits"]


def test_the_version_of_the_map_is_what_a_core_says() -> None:
    assert registers.MAP["version"] == "1.3" and registers.VERSION_VALUE == 0x0001_0003


def test_no_two_registers_or_bits_share_a_place() -> None:
    addresses = [a for r, a in registers.ADDRESS.items() if r != "LAYER_TABLE"]
    assert len(set(addresses)) == len(addresses)
    assert max(addresses) < registers.ADDRESS["LAYER_TABLE"]
    assert registers.ADDRESS["LAYER_TABLE"] + 16 <= 1 << registers.MAP["address_bits"]
    for bits in registers.BIT.values():
        assert len(set(bits.values())) == len(bits)


def test_reset_values_and_preset_words_fit() -> None:
    assert list(registers.PRESET.values()) == list(range(len(registers.PRESET)))
    assert list(registers.PRESET)[-1] == "LAYER_TABLE", "whose other entries follow"
    for name, bits in registers.BITS.items():
        assert registers.RESET[name] < 1 << bits, name
    # A core without memory images has them from the map, one with images from the file.
    assert all(name in registers.RESET for name in registers.PRESET)


def test_every_register_is_used_by_the_rtl() -> None:
    source = (RTL / "fcc_csr.v").read_text()
    for name in registers.ADDRESS:
        assert f"REG_{name}" in source, name


@pytest.mark.parametrize(("value", "names"), [(0, []), (5, ["BAD_TABLE", "CONFIG_BUSY"])])
def test_names_of_errors(value: int, names: list[str]) -> None:
    assert registers.errors_in(value) == names
