# SPDX-License-Identifier: Apache-2.0
"""Waveforms of a run: one FST file whatever the simulator, and the signals to look at first, as
lists for GTKWave and for Surfer.

Icarus writes FST itself. Verilator could, with headers of liblz4 and zlib that a user may not have;
so its VCD is converted, by the library that GTKWave has for FST files.
"""

from __future__ import annotations

import errno
import math
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from tqdm import tqdm

from xnor_fcc.files import write_text
from xnor_fcc_sim import vcd

GTKWAVE, SURFER = "xnor_fcc.gtkw", "xnor_fcc.sucl"
_TOP = "xnor_fcc"
_CORE = f"{_TOP}.g_legal.core"
# A viewer shows so many batches at first, but so many clock cycles at least, and of these so many
# before the first image.
_SHOWN, _LEAST, _BEFORE = 3, 80, 10
_PS_A_CYCLE = 20_000
# Bytes of a VCD file between two looks at how far it is.
_PROGRESS = 1 << 20
# How GTKWave shows a value, and a group that is open or closed.
_BIT, _HEX, _DECIMAL = "@28", "@22", "@24"
_OPEN, _CLOSED, _END = "@800200", "@c00200", "@1000200"

# Groups of signals below the top level or the core; ":d" behind one that is a number.
_PORTS = (
    ("Clock and reset", "clk reset"),
    ("Image in", "asi_image_valid asi_image_ready asi_image_startofpacket asi_image_endofpacket "
                 "asi_image_empty asi_image_data asi_image_error"),
)  # fmt: skip
_ROOMS = (
    ("Batch and ring", "image_input.staged_valid image_input.staged_ready "
                       "image_input.staged_id:d image_input.batcher.count_reg:d batch_valid "
                       "load_image load_image_s2 batch_count:d engine.lanes.length_s1 "
                       "engine.lanes.rotate_s1"),
    ("Sequencer", " ".join(f"engine.{name}" for name in (
        "sequencer.state_reg:d", "sequencer.next_layer_reg:d", "sequencer.group_reg:d",
        "sequencer.word_reg:d", "step", "first", "last", "load_hidden", "load_late",
        "output_layer", "stall", "weight_stall", "weight_address:d", "threshold_address:d",
    ))),
)  # fmt: skip
_LANE = "step done done_group:d done_output sums hidden taps"
_AFTER = (
    ("Results", "aso_result_valid aso_result_ready aso_result_startofpacket aso_result_endofpacket "
                "aso_result_data"),
    ("Registers", "avs_csr_address:d avs_csr_read avs_csr_write avs_csr_writedata "
                  "avs_csr_readdata avs_csr_readdatavalid ins_csr_irq"),
)  # fmt: skip


def groups(lanes: int) -> Iterator[tuple[str, bool, list[tuple[str, bool]]]]:
    """(name, whether it is open, signals) of each group; of a signal its full name without the
    range, and whether it is a number."""

    def signals(scope: str, names: str) -> list[tuple[str, bool]]:
        return [(f"{scope}.{name.removesuffix(':d')}", name.endswith(":d"))
                for name in names.split()]

    for name, some in _PORTS:
        yield name, True, signals(_TOP, some)
    for name, some in _ROOMS:
        yield name, True, signals(_CORE, some)
    for lane in range(lanes):
        yield f"Lane {lane}", lane == 0, signals(f"{_CORE}.engine.lanes.g_lane[{lane}].lane", _LANE)
    for name, some in _AFTER:
        yield name, True, signals(_TOP, some)


def _library() -> ModuleType | None:
    """The library for FST files, where there is one."""
    try:
        import pylibfst
    except ImportError:
        return None
    module: ModuleType = pylibfst
    return module


def convert(source: Path, target: Path) -> None:
    """Write the VCD file of Verilator as an FST file; OSError if there is no room for it."""
    fst = _library()
    assert fst is not None
    lib, none = fst.lib, fst.ffi.NULL
    size = source.stat().st_size
    with source.open("rb") as stream, tqdm(
        total=size, unit="B", unit_scale=True, desc="waveforms", delay=2
    ) as bar:
        # What is not below the top level is there twice.
        header = vcd.read_header(stream).only(lambda v: v.name.startswith(f"{_TOP}."))
        writer = lib.fstWriterCreate(os.fsencode(target), 1)
        if writer == none:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
        lib.fstWriterSetPackType(writer, lib.FST_WR_PT_LZ4)
        handles: dict[bytes, tuple[int, int]] = {}
        for line in header.lines:
            words = line.split()
            command = words[0] if words else b""
            if command == b"$timescale":
                lib.fstWriterSetTimescaleFromString(writer, words[1])
            elif command == b"$scope":
                lib.fstWriterSetScope(writer, lib.FST_ST_VCD_MODULE, words[2], none)
            elif command == b"$upscope":
                lib.fstWriterSetUpscope(writer)
            elif command == b"$var":
                code, width, name = words[3], int(words[2]), b" ".join(words[4:-1])
                alias, _ = handles.get(code, (0, 0))
                handle = lib.fstWriterCreateVar(
                    writer, lib.FST_VT_VCD_WIRE, lib.FST_VD_IMPLICIT, width, name, alias
                )
                handles[code] = (handle, width)
        for line in stream:
            kind = line[0]
            if kind == ord("#"):
                lib.fstWriterEmitTimeChange(writer, int(line[1:]))
                if stream.tell() > bar.n + _PROGRESS:
                    bar.update(stream.tell() - bar.n)
                continue
            value, code = line[1:].split() if kind in b"bB" else (line[:1], line[1:].strip())
            if code in handles:
                handle, width = handles[code]
                lib.fstWriterEmitValueChange(writer, handle, vcd.extended(value, width))
        lib.fstWriterClose(writer)
    # The library does not tell a full disk, but it does not read such a file.
    reader = lib.fstReaderOpen(os.fsencode(target))
    if reader == none:
        target.unlink(missing_ok=True)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
    lib.fstReaderClose(reader)


def variables(path: Path) -> dict[str, str]:
    """Full name of every variable of an FST file, and the range that follows it, such as [7:0]."""
    fst = _library()
    assert fst is not None
    lib, found = fst.lib, {}
    reader = lib.fstReaderOpen(os.fsencode(path))
    scopes: list[str] = []
    while (entry := lib.fstReaderIterateHier(reader)) != fst.ffi.NULL:
        if entry.htyp == lib.FST_HT_SCOPE:
            scopes.append(fst.string(entry.u.scope.name))
        elif entry.htyp == lib.FST_HT_UPSCOPE:
            scopes.pop()
        elif entry.htyp == lib.FST_HT_VAR:
            name, _, span = fst.string(entry.u.var.name).partition(" ")
            found[".".join((*scopes, name))] = span.strip()
    lib.fstReaderClose(reader)
    return found


def _gtkwave(dump: Path, ranges: dict[str, str], lanes: int, start: int, end: int) -> str:
    """GTKWave's list: what there is of `groups`; from the time `start` to `end`, in ps."""
    # The zoom is the logarithm of the time that 200 pixels are; the waves are about 900 wide.
    zoom = math.log2((end - start) * 200 / 900)
    lines = [f'[dumpfile] "{dump}"', f"[timestart] {start}", "[size] 1500 950",
             f"*-{zoom:.6f} {start + _BEFORE * _PS_A_CYCLE}" + " -1" * 26,
             f"[treeopen] {_TOP}.", "[signals_width] 260"]  # fmt: skip
    for name, is_open, signals in groups(lanes):
        lines += [_OPEN if is_open else _CLOSED, f"-{name}"]
        for signal, is_number in signals:
            if signal in ranges:
                span = re.sub(r"\[(\d+):\1\]", r"[\1]", ranges[signal])
                lines += [(_DECIMAL if is_number else _HEX) if span else _BIT, f"{signal}{span}"]
        lines += [_END, f"-{name}"]
    return "\n".join(lines) + "\n"


def _surfer(ranges: dict[str, str], lanes: int, start: int, end: int) -> str:
    """Surfer's list, a file of its commands."""
    lines = []
    for name, _, signals in groups(lanes):
        lines.append(f"divider_add {name}")
        lines += [f"variable_add {signal}" for signal, _ in signals if signal in ranges]
    lines.append(f"cursor_set {start + _BEFORE * _PS_A_CYCLE}")
    lines.append(f"zoom_to {start} {end}")
    return "\n".join(lines) + "\n"


def discard(output: Path) -> None:
    """Remove the waveforms of an earlier run."""
    for name in ("dump.vcd", "dump.fst", GTKWAVE, SURFER):
        (output / name).unlink(missing_ok=True)


def finish(output: Path, lanes: int, cycle: int, period: int) -> str:
    """Make dump.fst and the lists of the waveforms that a run left in `output`; a sentence on what
    there is. Viewers show a few batches of `period` clock cycles, from clock cycle `cycle` on."""
    raw, dump = output / "dump.vcd", output / "dump.fst"
    if _library() is None:
        left = next((path for path in (dump, raw) if path.exists()), dump)
        return f"{left}; without the package pylibfst there is no more of them"
    if raw.exists():
        convert(raw, dump)
        raw.unlink()
    ranges = variables(dump)
    start = max(0, cycle - _BEFORE) * _PS_A_CYCLE
    end = start + max(_LEAST, _SHOWN * period) * _PS_A_CYCLE
    write_text(output / GTKWAVE, _gtkwave(dump.resolve(), ranges, lanes, start, end))
    write_text(output / SURFER, _surfer(ranges, lanes, start, end))
    gtkwave = shlex.join(["gtkwave", str(output / GTKWAVE)])
    surfer = shlex.join(["surfer", "--command-file", str(output / SURFER), str(dump)])
    return f"{gtkwave}, or {surfer}"
