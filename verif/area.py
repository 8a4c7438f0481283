# SPDX-License-Identifier: Apache-2.0
"""`make area`: what each known form of XNOR and population count costs in logic.

Every form is synthesised by Yosys for a Cyclone V inside rtl/fcc_pe_array.v, that is with pipeline
registers, accumulator, threshold and control, but without the weight memory."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

import synthesis
from generated import fill
from report_source import source
from xnor_fcc.container import write_json
from xnor_fcc.errors import CommandLine, UserError, run_main

FORMS = Path(__file__).resolve().parent / "forms"
PAGE = synthesis.RTL / "AREA.md"
OUTPUT = synthesis.ROOT / "build" / "area"

# Neurons synthesised side by side: every form's cost is proportional to them.
PE = 4
# Of a core for layers of up to 1,024.
ACC_BITS = 12
SIMDS = (32, 64, 128, 256)


# Undo the attributes that keep Yosys from merging what the source keeps apart.
_MERGE_COUNTERS = "setattr -mod -unset keep_hierarchy *"
_MERGE_NODES = "setattr -unset keep w:*"


@dataclass(frozen=True)
class Form:
    """One row of the table."""

    label: str
    module: str = ""
    """Module of verif/forms in the place of xnor_popcount; "" is rtl/xnor_popcount.v itself."""
    edits: tuple[str, ...] = ()
    """Yosys commands that change rtl/ before synthesis."""
    rtl: bool = False
    """What rtl/ has, unchanged."""

    def sources(self) -> list[Path]:
        """The PE array with this form in it."""
        names = ["fcc_pe_array.v", "fcc_accumulators.v"]
        if not self.module:
            names += ["xnor_popcount.v", "fcc_plane_counter.v", "fcc_counter_5to3.v"]
        forms = sorted(FORMS.glob("*.v")) if self.module else []
        return [*(synthesis.RTL / name for name in names), *forms]

    def cost(self, simd: int) -> synthesis.IntelCost:
        """Synthesise it with `simd` synapses per PE."""
        parameters = {"PE": PE, "SIMD": simd, "ACC_BITS": ACC_BITS}
        defines = {"FORM": self.module} if self.module else {}
        return synthesis.intel(
            "fcc_pe_array", parameters, self.sources(), defines=defines, edits=self.edits
        )


TABLE: Mapping[str, Form] = {
    "tree": Form("recursive adder tree", "form_tree"),
    "plus": Form("`+` in a loop, left to the tool", "form_plus"),
    "chains": Form("chains of full adders over 11 XNORs, bit-sliced", "form_chains"),
    "parity": Form("parity-coded, full adders", "form_parity"),
    "counters": Form("parity-coded, 5:3 counters", edits=(_MERGE_NODES, _MERGE_COUNTERS)),
    "nodes": Form("the same, every fourth parity a node", edits=(_MERGE_COUNTERS,)),
    "rtl": Form("the same, 5:3 counters kept whole: **rtl/**", rtl=True),
}


def measure(names: Sequence[str], simds: Sequence[int]) -> dict[str, Any]:
    """The report: forms by name and SIMD, and the cost of coding a word once a lane."""
    forms: dict[str, dict[str, dict[str, float]]] = {name: {} for name in names}
    coder: dict[str, float] = {}
    runs = (len(names) + 1) * len(simds)
    with tqdm(total=runs, unit="synthesis", leave=False, disable=None) as bar:
        for simd in simds:
            for name in names:
                bar.set_description(f"{name}, SIMD={simd}")
                cost = TABLE[name].cost(simd)
                forms[name][str(simd)] = {
                    "alm": cost.alm,
                    "xnor_per_cycle_per_alm": PE * simd / cost.alm,
                    "flip_flops": cost.flip_flops,
                }
                bar.update()
            bar.set_description(f"parity coder, SIMD={simd}")
            source = [synthesis.RTL / f"fcc_parity_{part}.v" for part in ("coder", "prefix")]
            coder[str(simd)] = synthesis.intel("fcc_parity_coder", {"WIDTH": simd}, source).alm
            bar.update()
    return {
        "forms": forms,
        "coder_alm": coder,
        "pe": PE,
        "acc_bits": ACC_BITS,
        "yosys": synthesis.yosys_version(),
    }


def table(report: Mapping[str, Any]) -> str:
    """The report as a table of Markdown."""
    simds = list(report["coder_alm"])
    lines = [
        "| form | " + " | ".join(f"SIMD {simd}" for simd in simds) + " |",
        "|---" * (len(simds) + 1) + "|",
    ]
    for name, row in report["forms"].items():
        figures = (f"{row[simd]['xnor_per_cycle_per_alm']:.2f}" for simd in simds)
        if TABLE[name].rtl:
            figures = (f"**{figure}**" for figure in figures)
        lines.append(f"| {TABLE[name].label} | " + " | ".join(figures) + " |")
    coder = " | ".join(f"{alm:g}" for alm in report["coder_alm"].values())
    lines.append(f"| *ALMs that code one word, once for all PEs* | {coder} |")
    return "\n".join(lines)


def update_page(page: Path, text: str, yosys: str) -> None:
    """Put the table into `page`."""
    fill(page, f"{text}\n\nYosys {yosys}.", "area")


def parser() -> CommandLine:
    """The command line."""
    result = CommandLine(
        prog="make area",
        description=__doc__,
        epilog="With make, options go into ARGS: make area ARGS=--write. The figure is XNORs per "
        "cycle per ALM, more is better; the ALMs are an estimate, explained in rtl/AREA.md. "
        f"The forms are {', '.join(TABLE)}. The figures are written to build/area/report.json. "
        "What was synthesised before and has not changed is not synthesised again.",
    )
    result.add_argument(
        "--form", nargs="+", choices=TABLE, default=list(TABLE), help="only these forms"
    )
    result.add_argument(
        "--simd", nargs="+", type=int, default=list(SIMDS), help="synapses per PE and cycle"
    )
    result.add_argument(
        "--write", action="store_true", help="put the table into rtl/AREA.md (all forms and sizes)"
    )
    return result


def main() -> int:
    """Measure, print, write."""
    options = parser().parse_args()
    if any(simd < 1 for simd in options.simd):
        raise UserError("SIMD must be at least 1.")
    if options.write and (options.form != list(TABLE) or options.simd != list(SIMDS)):
        raise UserError("The page holds all forms and sizes; leave out --form and --simd.")
    measured_on = source()
    report = {**measure(options.form, options.simd), "source": measured_on}
    print(f"XNOR per cycle per ALM (estimate by Yosys {report['yosys']}, Cyclone V, PE={PE}, "
          f"{ACC_BITS}-bit accumulators):\n")
    print(table(report))
    write_json(OUTPUT / "report.json", report)
    if options.write:
        update_page(PAGE, table(report), report["yosys"])
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
