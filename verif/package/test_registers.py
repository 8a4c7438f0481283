# SPDX-License-Identifier: Apache-2.0
"""The register map and the map of addresses fit, and so does what is generated from them."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from xnor_fcc import registers
from xnor_fcc.board import address_map
from xnor_fcc.parameters import PARAMETERS, most
from xnor_fcc_sim.sources import ROOT, RTL

HEADER = ROOT / "quartus" / "host" / "xnor_fcc.h"


def test_the_c_header_has_byte_offsets_and_masks() -> None:
    values = dict(re.findall(r"#define (XFCC_\w+) 0x(\w+)u", HEADER.read_text()))
    for name, address in registers.ADDRESS.items():
        assert int(values[f"XFCC_REG_{name}"], 16) == 4 * address
    for register in registers.MAP["registers"]:
        for field in register.get("fields", []):
            ones = (1 << field.get("bits", 1)) - 1
            name = f"XFCC_{register['name']}_{field['name']}"
            assert int(values[name], 16) == ones << field["bit"]


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
    assert registers.MAP["version"] == "2.0" and registers.VERSION_VALUE == 0x0002_0000


def test_no_two_registers_or_bits_share_a_place() -> None:
    # A core for convolutions does not learn, so that the two may have the same addresses.
    for others in (registers.OF_MAPS, registers.OF_LEARNING):
        addresses = [
            a for r, a in registers.ADDRESS.items() if r != "LAYER_TABLE" and r not in others
        ]
        assert len(set(addresses)) == len(addresses)
    assert registers.ADDRESS["MAP_INPUT"] not in map(
        registers.ADDRESS.get, registers.OF_LEARNING
    ), "which tells one from the other"
    assert max(addresses) < registers.ADDRESS["LAYER_TABLE"]
    last = registers.ADDRESS["LAYER_TABLE"] + most("MAX_LAYERS") - 1
    assert last < 1 << registers.MAP["address_bits"]
    for reading in registers.READINGS.values():
        for register, names in reading.items():
            taken = 0
            for name in names:
                assert not taken & registers.mask(register, name), f"{register}.{name}"
                taken |= registers.mask(register, name)
            assert taken < 1 << 32
    # Every field stands in a reading, and only those of the table are not in both.
    for register, bits in registers.BIT.items():
        dense, maps = (set(registers.READINGS[maps][register]) for maps in (False, True))
        assert dense | maps == set(bits)
        assert dense == maps or register == "LAYER_TABLE"
    # What a table entry and a description can say is what a core can have.
    for name in ("WORDS", "GROUPS"):
        assert registers.field("LAYER_TABLE", name, 0xFFFF_FFFF) >= most("MAX_WIDTH")
    for name in ("INPUTS", "CLASSES"):
        assert (1 << registers.BITS[name]) - 1 >= most("MAX_WIDTH")


def test_fields_are_put_together_and_taken_apart() -> None:
    entry = registers.word("LAYER_TABLE", WORDS=7, GROUPS=5, ORDER_2=1)
    assert entry == 5 << 16 | 1 << 15 | 7
    assert registers.field("LAYER_TABLE", "GROUPS", entry | 1 << 31) == 5
    assert registers.mask("LAYER_TABLE") == 0xFFFF_FFFF
    assert registers.mask("ERROR") == 0x3FF and registers.mask("IRQ_STATUS", "ERROR") == 2
    with pytest.raises(AssertionError, match="WORDS of LAYER_TABLE: 32768"):
        registers.word("LAYER_TABLE", WORDS=1 << 15)


def test_reset_values_and_preset_words_fit() -> None:
    assert list(registers.PRESET.values()) == list(range(len(registers.PRESET)))
    assert list(registers.PRESET)[-1] == "LAYER_TABLE", "whose other entries follow"
    for name, bits in registers.BITS.items():
        assert registers.RESET[name] < 1 << bits, name
    # A core without memory files has them from the map, one with images from the file.
    assert all(name in registers.RESET for name in registers.PRESET)


def test_a_register_with_the_name_of_a_parameter_reads_it() -> None:
    """What else a core tells of itself follows from these."""
    told = {r["name"] for r in registers.MAP["registers"] if r["reset"] == "parameter"}
    assert told == (set(PARAMETERS) & set(registers.ADDRESS)) | {"SCORE_BITS"}
    # The banks of the weight memory and the names of its files concern nobody outside. What a pixel
    # is stands in one register, how many classes learn in LEARNING.
    pixel = {f"PIXEL_{name}" for name in registers.BIT["PIXEL"]}
    assert set(PARAMETERS) - told - pixel == {"BANK_DEPTH", "PRESET", "LEARN"}
    assert registers.mask("LEARNING", "CLASSES") >> registers.BIT["LEARNING"]["CLASSES"] >= most(
        "LEARN"
    )


def test_every_register_is_used_by_the_rtl() -> None:
    for name in registers.ADDRESS:
        module = "fcc_map_registers.v" if name in registers.OF_MAPS else "fcc_csr.v"
        if name in registers.OF_LEARNING:
            module = "fcc_learn_registers.v"
        assert f"REG_{name}" in (RTL / module).read_text(), name


@pytest.mark.parametrize(("value", "names"), [(0, []), (5, ["BAD_TABLE", "CONFIG_BUSY"])])
def test_names_of_errors(value: int, names: list[str]) -> None:
    assert registers.errors_in(value) == names
