# SPDX-License-Identifier: Apache-2.0
"""What a core for convolutions is loaded with, where the machine's tests do not look: files, the
order of groups, which input is which synapse."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.map_plan import plan
from xnor_fcc.pack import pack
from xnor_fcc.pack_maps import MapMemory, synapses
from xnor_fcc.random_network import Convolution, random_map_network
from xnor_fcc.register_script import register_script
from xnor_fcc.registers import ADDRESS, PRESET, word
from xnor_fcc.shape import MapShape


def small() -> tuple[IntegerNetwork, Geometry]:
    """Slots of six channels, three groups to a slot, one level more than the network has."""
    network = random_map_network(
        np.random.default_rng(7), 5, [Convolution(8), Convolution(7)], [6, 5], 1, 1
    )
    g = Geometry.for_widths(network.shape, 2, 18, 4)
    return network, Geometry(**{**vars(g), "pixel_levels": 2})


def test_memory_files(tmp_path: Path) -> None:
    network, g = small()
    memory = pack(network, g)
    assert isinstance(memory, MapMemory) and network.pixels is not None
    files = memory.write_preset(tmp_path / "core", enable=False)
    assert [path.name for path in files] == [
        "core_config.hex", "core_weights_00_000.hex", "core_thresholds_000.hex", "core_levels.hex"
    ]  # fmt: skip
    assert files[-1].read_text() == f"{network.pixels.levels[0, 0]:02x}\n00\n"
    config = [int(line, 16) for line in files[0].read_text().split()]
    assert config[PRESET["CONTROL"]] == word("CONTROL", PIXEL_8BIT=1)
    assert config[PRESET["INPUTS"]] == 25 and config[PRESET["CLASSES"]] == 5
    table = PRESET["LAYER_TABLE"]
    assert tuple(config[table : table + 4]) == memory.entries
    weights = [int(line, 16) for line in files[1].read_text().split()]
    assert len(weights) == g.weight_depth
    for line, row in zip(weights, memory.weights, strict=False):
        assert line == sum(int(bit) << i for i, bit in enumerate(row))


def test_a_script_of_register_writes() -> None:
    """What is written of levels and images; which core it is for."""
    network, g = small()
    images = np.arange(50, dtype=np.uint8).reshape(2, 5, 5)
    lines = [line.split() for line in register_script(network, g, images).splitlines()]
    address = {name: f"{4 * number:x}" for name, number in ADDRESS.items()}
    assert ["expect", address["PIXEL"], "201", "PIXEL"] in lines
    assert ["expect", address["IMAGE_WIDTH"], "40", "IMAGE_WIDTH"] in lines
    assert network.pixels is not None
    level = network.pixels.levels[0, 0]
    assert ["write", address["LEVEL"], f"{level:x}", "100"] in lines
    assert ["write", address["INPUTS"], "19"] in lines
    control = word("CONTROL", ENABLE=1, PIXEL_8BIT=1)
    assert ["control", f"{control:x}"] in lines
    # A pixel a beat of eight bytes.
    words = [f"{value:x}" for pixel in range(25, 50) for value in (pixel, 0)]
    assert lines[-1] == ["image", "c8", "ffffffff", *words]


def test_groups_come_in_order_and_the_output_layers_from_the_last_one() -> None:
    network, g = small()
    memory = pack(network, g)
    first, last = network.hidden[0], network.output
    assert memory.offsets[:4].ravel().tolist() == (1 - 2 * first.thresholds).tolist()  # type: ignore[union-attr]
    scores = (last.bias - last.most).tolist()
    assert memory.offsets[-3:].tolist() == [
        [scores[4], -2 * last.most - 1], scores[2:4], scores[:2]
    ]  # fmt: skip


def test_which_input_a_synapse_is() -> None:
    network, g = small()
    shape = network.shape
    assert isinstance(shape, MapShape)
    stages = plan(shape, g.pe, g.simd)
    every = [synapses(g, shape, stages, layer) for layer in range(4)]
    # Three columns of pixels, of each three rows of two levels, of which one is the network's.
    assert every[0].tolist() == [[0, -1, 3, -1, 6, -1, 1, -1, 4, -1, 7, -1, 2, -1, 5, -1, 8, -1]]
    # Rows of the kernel of channels 0 to 5, then of channels 6 and 7.
    assert every[1].shape == (6, 18)
    assert every[1][1].tolist() == list(range(24, 30)) + list(range(32, 38)) + list(range(40, 46))
    assert every[1][4].tolist() == [*(30, 31, *[-1] * 4), *(38, 39, *[-1] * 4),
                                    *(46, 47, *[-1] * 4)]  # fmt: skip
    # One position of seven channels: two slots of the only word.
    assert every[2].tolist() == [[0, 1, 2, 3, 4, 5, 6, *[-1] * 11]]
    assert every[3].tolist() == [[0, 1, 2, 3, 4, 5, *[-1] * 12]]
    for layer, inputs in zip(network.layers, every, strict=True):
        used = np.sort(inputs[inputs >= 0])
        assert used.tolist() == list(range(layer.inputs))
