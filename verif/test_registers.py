# SPDX-License-Identifier: Apache-2.0
"""One register map: the committed RTL constants and the table are what the JSON file generates."""

from __future__ import annotations

import pytest

from simulator import RTL
from xnor_fcc import registers


def test_rtl_constants_are_up_to_date() -> None:
    assert (RTL / "fcc_registers.vh").read_text() == registers.verilog(), "run `make registers`"


def test_the_table_is_up_to_date() -> None:
    assert (RTL / "REGISTERS.md").read_text() == registers.markdown(), "run `make registers`"


def test_no_two_registers_or_bits_share_a_place() -> None:
    addresses = [a for r, a in registers.ADDRESS.items() if r != "LAYER_TABLE"]
    assert len(set(addresses)) == len(addresses)
    assert max(addresses) < registers.ADDRESS["LAYER_TABLE"]
    assert registers.ADDRESS["LAYER_TABLE"] + 16 <= 1 << registers.MAP["address_bits"]
    for bits in registers.BIT.values():
        assert len(set(bits.values())) == len(bits)


def test_every_register_is_used_by_the_rtl() -> None:
    source = (RTL / "fcc_csr.v").read_text()
    for name in registers.ADDRESS:
        assert f"REG_{name}" in source, name


@pytest.mark.parametrize(("value", "names"), [(0, []), (5, ["BAD_TABLE", "CONFIG_BUSY"])])
def test_names_of_errors(value: int, names: list[str]) -> None:
    assert registers.errors_in(value) == names
