# SPDX-License-Identifier: Apache-2.0
"""`make area`: what each known form of XNOR and population count costs in logic.

Every form is synthesised by Yosys for a Cyclone V inside rtl/fcc_pe_array.v, that is with pipeline
registers, accumulator, threshold and control, but without the weight memory. Beside them stand PEs
for weights of +-2^k on 8-bit pixels, and what these would cost a core."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from tqdm import tqdm

from measure import synthesis
from xnor_fcc.area import lane_alm, memory
from xnor_fcc.devices import devices
from xnor_fcc.errors import CommandLine, UserError, run_main
from xnor_fcc.files import write_json
from xnor_fcc.generated import fill
from xnor_fcc.geometry import NAMED, Geometry
from xnor_fcc.places import BUILD
from xnor_fcc.tables import markdown
from xnor_fcc_sim.provenance import source
from xnor_fcc_sim.reports import Source

FORMS = Path(__file__).resolve().parent / "forms"
PAGE = synthesis.RTL / "AREA.md"
SHIFT_PAGE = FORMS.parent / "METHODS.md"
OUTPUT = BUILD / "area"

# Neurons synthesised side by side: every form's cost is proportional to them.
PE = 4
# Of a core for layers of up to 1,024.
ACC_BITS = 12
SIMDS = (32, 64, 128, 256)

# Sizes of the set of exponents that a weight +-2^k chooses from; of 1, weights are +-1.
EXPONENTS = (1, 2, 4, 8)
# Synapses of the one PE in which they are measured: a product costs the same in every size.
SHIFT_SIMD = 128
# Of a layer of 784 pixels: what products of 15 bits add up to, with a sign.
SHIFT_ACC_BITS = 27
PIXEL_BITS = 8
# The network whose first layer is to have such weights.
WIDTHS = (784, 1024, 1024, 1024, 10)

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

    @property
    def plain_label(self) -> str:
        """The label without its Markdown."""
        return re.sub("[*`]", "", self.label)

    def sources(self) -> list[Path]:
        """The PE array with this form in it."""
        names = ["fcc_pe_array.v", "fcc_accumulators.v"]
        if not self.module:
            names += ["xnor_popcount.v", "fcc_plane_counter.v", "fcc_counter_5to3.v"]
        forms = sorted(FORMS.glob("*.v")) if self.module else []
        return [*(synthesis.RTL / name for name in names), *forms]

    def cost(self, simd: int) -> synthesis.IntelCost:
        """Synthesise it with `simd` synapses per PE."""
        parameters = {"PE": PE, "SIMD": simd, "TAPS": 1, "ACC_BITS": ACC_BITS, "TAG_BITS": 2}
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


class Forms(TypedDict):
    """The PE array in each of its forms."""

    forms: dict[str, dict[str, dict[str, float]]]
    """By form and SIMD: "alm", "xnor_per_cycle_per_alm"."""
    labels: dict[str, str]
    """What each form is, in words."""
    coder_alm: dict[str, float]
    pe: int
    acc_bits: int
    yosys: str


class Report(Forms):
    """What report.json holds."""

    shifts: dict[str, Any]
    """`shift_costs`."""
    source: Source


def measure(names: Sequence[str], simds: Sequence[int]) -> Forms:
    """Forms by name and SIMD, and the cost of coding a word once a lane."""
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
        "labels": {name: TABLE[name].plain_label for name in names},
        "coder_alm": coder,
        "pe": PE,
        "acc_bits": ACC_BITS,
        "yosys": synthesis.yosys_version(),
    }


def table(report: Forms) -> str:
    """The report as a table of Markdown."""
    simds = list(report["coder_alm"])
    rows = []
    for name, row in report["forms"].items():
        figures = (f"{row[simd]['xnor_per_cycle_per_alm']:.2f}" for simd in simds)
        if TABLE[name].rtl:
            figures = (f"**{figure}**" for figure in figures)
        rows.append([TABLE[name].label, *figures])
    coder = (f"{alm:g}" for alm in report["coder_alm"].values())
    rows.append(["*ALMs that code one word, once for all PEs*", *coder])
    return markdown(["form", *(f"SIMD {simd}" for simd in simds)], rows)


def measure_shifts() -> dict[str, float]:
    """ALMs of a synapse with a weight of +-2^k on an 8-bit pixel, by the number of exponents; and
    of one in the XNOR array of rtl/ ("xnor")."""
    sources = [synthesis.RTL / "fcc_accumulators.v", FORMS / "form_shift.v"]
    parameters = {"PE": 1, "SIMD": SHIFT_SIMD, "ACC_BITS": SHIFT_ACC_BITS}
    result = {"xnor": TABLE["rtl"].cost(SHIFT_SIMD).alm / (PE * SHIFT_SIMD)}
    for count in tqdm(EXPONENTS, desc="products", unit="synthesis", leave=False, disable=None):
        cost = synthesis.intel("form_shift", {**parameters, "EXPONENTS": count}, sources)
        result[str(count)] = cost.alm / SHIFT_SIMD
    return result


def shift_costs(alm: Mapping[str, float]) -> dict[str, Any]:
    """What a first layer of such weights would cost the geometry `throughput`; `alm` as
    `measure_shifts` has it. The largest set of exponents decides."""
    device = devices()["de1-soc"]
    g = Geometry.for_widths(WIDTHS, *NAMED["throughput"])
    largest = max(EXPONENTS)
    weight_bits = 1 + (largest - 1).bit_length()
    lane = sum(lane_alm(g).values())
    rate = g.pe * g.simd
    synapses = WIDTHS[0] * WIDTHS[1]
    steps = g.steps(WIDTHS[:2])
    product = alm[str(largest)]
    rest = memory(rate, g.steps(WIDTHS) - steps, device.shapes)[0]
    return {
        "alm_per_synapse": dict(alm),
        "weight_bits": weight_bits,
        "lane_alm": lane,
        "at_xnor_rate": {
            "synapses_per_cycle": rate,
            "alm": rate * product,
            "lanes": rate * product / lane,
            "devices": rate * product / device.alms,
            "blocks": memory(weight_bits * rate, steps, device.shapes)[0],
        },
        "at_a_tenth_of_a_lane": {
            "alm": lane / 10,
            "synapses_per_cycle": lane / 10 / product,
            "cycles_per_image": synapses / (lane / 10 / product),
            # Bits fill their blocks at best.
            "blocks": -(-weight_bits * synapses // device.block_bits),
        },
        # Every pixel bit meets every exponent as a plane of ternary weights, in two passes.
        "bit_serial_steps": steps * PIXEL_BITS * largest * 2,
        "steps": steps,
        "synapses": synapses,
        "cycles_per_image": g.period_cycles(WIDTHS) / g.lanes,
        "other_blocks": rest,
        "device_blocks": device.blocks,
        "fits": rate * product <= lane / 10,
    }


def shift_text(costs: Mapping[str, Any], yosys: str) -> str:
    """The account of it, for METHODS.md."""
    alm, full, tenth = (costs[k] for k in ("alm_per_synapse", "at_xnor_rate",
                                           "at_a_tenth_of_a_lane"))
    rows = [("+-1 on 1-bit pixels: XNOR, as built", "1", f"{alm['xnor']:.2f}", "1")]
    for name, figure in alm.items():
        if name != "xnor":
            count = int(name)
            reach = {1: "+-1", 2: "+-1, +-2"}.get(count, f"+-2^0 to +-2^{count - 1}")
            rows.append((f"{reach} on 8-bit pixels", str(1 + (count - 1).bit_length()),
                         f"{figure:.1f}", f"{figure / alm['xnor']:.0f}"))  # fmt: skip
    verdict = "less" if costs["fits"] else "far more"
    text = (
        f"**In hardware they cost {verdict} than a tenth of a lane.** A lane of the throughput "
        f"geometry takes {costs['lane_alm']:,.0f} ALMs. To keep its pace of "
        f"{full['synapses_per_cycle']:,} synapses a cycle, weights of +-2^0 to "
        f"+-2^{max(EXPONENTS) - 1} take {full['alm']:,.0f} more, as many as {full['lanes']:.0f} "
        f"lanes or {full['devices']:.0f} DE1-SoCs, and {full['blocks']:,} M10K to read them from, "
        f"of which a DE1-SoC has {costs['device_blocks']}. A tenth of a lane pays for "
        f"{tenth['synapses_per_cycle']:.0f} synapses a cycle: the {costs['synapses']:,} of the "
        f"first layer then take {tenth['cycles_per_image']:,.0f} cycles an image, where the whole "
        f"network takes {costs['cycles_per_image']:g} as it is, and their weights still fill "
        f"{tenth['blocks']} M10K beside the {costs['other_blocks']} of the other layers. With no "
        "logic but the XNORs that are there, every bit of the pixels would meet every exponent, as "
        f"a plane of ternary weights, in {costs['bit_serial_steps']:,} steps of a batch's first "
        f"layer instead of {costs['steps']}. So no core here computes such weights."
    )
    head = ("weights", "bits of a weight", "ALMs a synapse", "of the XNOR's")
    lines = [markdown(head, rows), "", textwrap.fill(text, 104), ""]
    lines.append(f"ALMs estimated by Yosys {yosys}.")
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
        "--write", action="store_true",
        help="put the table into rtl/AREA.md (all forms and sizes), and the account of weights "
        "+-2^k into verif/measure/METHODS.md",
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
    forms = measure(options.form, options.simd)
    shifts = shift_costs(measure_shifts())
    report: Report = {**forms, "shifts": shifts, "source": measured_on}
    print(f"XNOR per cycle per ALM (estimate by Yosys {report['yosys']}, Cyclone V, PE={PE}, "
          f"{ACC_BITS}-bit accumulators):\n")
    print(f"{table(report)}\n\n{shift_text(shifts, report['yosys'])}")
    write_json(OUTPUT / "report.json", report)
    if options.write:
        update_page(PAGE, table(report), report["yosys"])
        fill(SHIFT_PAGE, shift_text(shifts, report["yosys"]), "shifts")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
