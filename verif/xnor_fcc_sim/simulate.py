# SPDX-License-Identifier: Apache-2.0
"""Images through the simulated core: every hidden bit, score and cycle is checked."""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from xnor_fcc.data import load_test_images
from xnor_fcc.errors import CommandLine, Exit, ToolError, UserError, run_main
from xnor_fcc.files import write_atomically, write_json
from xnor_fcc.geometry import NAMED, Geometry, MapShape
from xnor_fcc.geometry_options import add_geometry, add_network, geometry_of, no_wider
from xnor_fcc.images import MOST_RANDOM, as_grey, read_images
from xnor_fcc.integer import IntegerNetwork, find_network
from xnor_fcc.pack import pack
from xnor_fcc.progress import followed
from xnor_fcc_sim import simulator, waves
from xnor_fcc_sim.flip import plant_fault
from xnor_fcc_sim.page.trace_page import write_page
from xnor_fcc_sim.provenance import source
from xnor_fcc_sim.reports import About, Measured, Simulation

RANDOM = "random"
# (PE, SIMD, LANES) for Icarus unless others are asked for. There a cycle of a larger core takes
# longer, which pays for a large network only.
_ICARUS_SMALL, _ICARUS_LARGE = (8, 8, 2), (128, 32, 2)
# Synapses from which on a network is large, and that Icarus simulates in ten or twenty seconds.
_LARGE, _SECONDS = 100_000, 2_200_000
# Images, where there is no end to them.
_SOME = 100

_EPILOG = """\
The figures are printed and written to report.json; the exit code is 0 only if every bit and every
cycle was right, 1 if hardware and reference differ.

The simulator is Verilator, or, with SIM=icarus in the environment, Icarus: four-state logic, for
small cores and few images. make sim takes the options as variables: make sim IMAGES=100 PE=16.

examples
  xnor-fcc simulate --network digits --pe 8 --simd 16 --lanes 2
  xnor-fcc simulate --network my.npz --inputs random --images 100 --json
  xnor-fcc simulate --images 8 --trace 3 --waves --output look
"""


def parser() -> CommandLine:
    """The command line."""
    result = CommandLine(
        prog="xnor-fcc simulate",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_network(result)
    result.add_argument(
        "--inputs",
        metavar="FILE|random",
        help="images from a file (IDX, PNG, .npy, .npz), or random ones (default: the test images "
        "of the data set that the network was trained on)",
    )
    result.add_argument(
        "--images",
        type=int,
        metavar="N",
        help=f"how many images (default: all; {_SOME} random ones; fewer in Icarus)",
    )
    result.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="of the random images (default: %(default)s)",
    )
    add_geometry(result)
    result.add_argument(
        "--flip",
        metavar="WHERE",
        help="plant one fault in what is loaded, to see it caught: weight:LAYER:NEURON:INPUT turns "
        "a weight (one of 0 into -1), threshold:LAYER:NEURON moves a threshold (or a bias) by one",
    )
    result.add_argument(
        "--trace",
        type=int,
        metavar="IMAGE",
        help="write a page, trace.html, on the way of one image through the core: its number in "
        "the run, from 0",
    )
    result.add_argument(
        "--waves",
        action="store_true",
        help="record waveforms, dump.fst, with lists of signals for GTKWave and Surfer",
    )
    result.add_argument(
        "--json", action="store_true", help="print the report as JSON, and nothing else"
    )
    result.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        default=simulator.BUILD / "sim",
        help="directory of the report, the log, the waveforms (default: %(default)s)",
    )
    return result


@dataclass
class Inputs:
    """What is sent: grey images uint8 (N, inputs) and labels (N,), or None where nobody knows them.

    `source` is what the report says of them: "test set", "random" or the path of a file.
    """

    images: np.ndarray
    labels: np.ndarray | None
    source: str

    def save(self, path: Path) -> None:
        """Write a file of `images.read_images`, for the simulation and for later runs."""
        arrays = {"images": self.images}
        if self.labels is not None:
            arrays["labels"] = self.labels
        file = io.BytesIO()
        np.savez(file, **arrays)  # type: ignore[arg-type]
        write_atomically(path, file.getvalue())


def find_inputs(options: argparse.Namespace, network: IntegerNetwork) -> Inputs:
    """The images that the options ask for, the first --images of them."""
    if options.inputs == RANDOM:
        if options.seed < 0:
            raise UserError(f"--seed {options.seed} is negative.")
        count = _some(network) if options.images is None else options.images
        if not 1 <= count <= MOST_RANDOM:
            raise UserError(f"--images {count} is outside 1 to {MOST_RANDOM} random ones.")
        rng = np.random.default_rng(options.seed)
        images = rng.integers(0, 256, (count, network.inputs), dtype=np.uint8)
        inputs = Inputs(images, None, RANDOM)
    elif options.inputs is not None:
        images, labels = read_images(Path(options.inputs))
        images = as_grey(images.reshape(len(images), -1))
        inputs = Inputs(images, labels, str(options.inputs))
    elif (dataset := network.dataset) is not None:
        inputs = Inputs(*load_test_images(dataset), "test set")
    else:
        raise UserError("The network's file does not say which images it is for; give some with "
                        "--inputs FILE, or --inputs random.")
    available = len(inputs.images)
    count = options.images
    if count is None:
        count = available if simulator.chosen() != "icarus" else min(available, _some(network))
    if not 1 <= count <= available:
        raise UserError(f"--images {count} is outside 1 to {available}.")
    if network.inputs != inputs.images.shape[1]:
        raise UserError(
            f"The network takes {network.inputs} pixels, but the images have "
            f"{inputs.images.shape[1]}."
        )
    if options.trace is not None and not 0 <= options.trace < count:
        raise UserError(f"--trace {options.trace} is outside 0 to {count - 1}, the run's images.")
    inputs.images = inputs.images[:count]
    if inputs.labels is not None:
        inputs.labels = inputs.labels[:count]
    return inputs


def _synapses(network: IntegerNetwork) -> int:
    return sum(layer.inputs * layer.outputs for layer in network.layers)


def _some(network: IntegerNetwork) -> int:
    """Images of a run that takes seconds, or with a large network in Icarus, minutes."""
    if simulator.chosen() != "icarus":
        return _SOME
    return max(4, min(_SOME, _SECONDS // _synapses(network)))


def find_geometry(options: argparse.Namespace, network: IntegerNetwork) -> Geometry:
    """The core that the options ask for; unless they do, none wider than the network."""
    if isinstance(network.shape, MapShape):
        return geometry_of(options, network.shape)
    sizes = NAMED["default"]
    if simulator.chosen() == "icarus":
        sizes = _ICARUS_LARGE if _synapses(network) >= _LARGE else _ICARUS_SMALL
    return geometry_of(options, network.shape, no_wider(sizes, network.shape))


def prepare(
    options: argparse.Namespace,
) -> tuple[Geometry, IntegerNetwork, IntegerNetwork, Inputs]:
    """Everything that can be refused, before anything is written: (geometry, network, what is
    loaded, images)."""
    network = IntegerNetwork.load(find_network(options.network))
    geometry = find_geometry(options, network)
    loaded = plant_fault(network, options.flip) if options.flip else network
    pack(loaded, geometry)
    return geometry, network, loaded, find_inputs(options, network)


def _progress(path: Path, images: int) -> AbstractContextManager[None]:
    """A bar that follows the file in which the running simulation notes how far it is."""
    path.unlink(missing_ok=True)
    bar = tqdm(total=images, unit="image", desc="loading", mininterval=1.0)

    def look() -> None:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if text.isdigit() and int(text) > bar.n:
            bar.set_description("simulating", refresh=False)
            bar.update(int(text) - bar.n)

    return followed(bar, look)


def show(report: Simulation) -> None:
    """Print the figures of a run."""
    if report["accuracy"] is None:
        accuracy = "not known, the images have no labels"
    else:
        accuracy = f"{report['accuracy']:.4f}, the model's {report['model_accuracy']:.4f}"
    rows = [
        ("images", f"{report['images']:,}"),
        ("wrong bits", f"{report['wrong_bits']} (hidden bits checked: "
         f"{report['hidden_bits_checked']:,})"),
        ("accuracy", accuracy),
        ("batch cycles", f"{report['batch_cycles']:g}, the model's {report['model_batch_cycles']}"),
        ("cycles per image", f"{report['cycles_per_image'] or 'two full batches would tell'}, "
         f"the model's {report['model_cycles_per_image']}"),
        ("latency", f"{report['latency_cycles']} cycles, the model's "
         f"{report['model_latency_cycles']}"),
        ("busy", f"{report['busy']:.1%} of all cycles are steps of all PEs"),
        ("images/s", f"{report['images_per_second']:,.0f} simulated, testbench included"),
        ("reference", f"{report['reference_seconds']:.1f} s for {report['images']:,} images"),
        ("simulation", f"{report['simulated_cycles_per_second']:,.0f} cycles/s, "
         f"{report['seconds']:.0f} s in all"),
    ]
    for name, value in rows:
        print(f"{name:>17}: {value}")


def main(argv: Sequence[str] | None = None) -> int:
    """Build, run, report."""
    options = parser().parse_args(argv)
    geometry, network, loaded, inputs = prepare(options)
    output = options.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    lock = simulator.claim(
        output, f"Another simulation is writing to {output}: name another --output."
    )
    try:
        return _simulate(options, output, geometry, network, loaded, inputs)
    finally:
        lock.release()


def _simulate(
    options: argparse.Namespace,
    output: Path,
    geometry: Geometry,
    network: IntegerNetwork,
    loaded: IntegerNetwork,
    inputs: Inputs,
) -> int:
    started = time.monotonic()
    measured_on = source()
    report_path, measured = output / "report.json", output / "measured.json"
    answers, images = output / "answers.npz", output / "images.npz"
    trace, page = output / "trace.npz", output / "trace.html"
    for stale in (report_path, measured, answers, trace, page):
        stale.unlink(missing_ok=True)
    waves.discard(output)
    inputs.save(images)
    network.save(output / "network.npz")
    loaded.save(output / "loaded.npz")

    note = {
        "verilator": "building takes a minute or two, once for each geometry",
        "icarus": "this simulator takes a minute or two to load a large network, and for every few "
        "images",
    }[simulator.chosen()]
    notes = sys.stderr if options.json else sys.stdout
    print(f"{geometry.label}: {note}", file=notes, flush=True)
    model = simulator.build("xnor_fcc", geometry.parameters(), waves=options.waves)
    build_seconds = time.monotonic() - started

    settings = {
        "geometry": asdict(geometry),
        "network": str(output / "network.npz"),
        "loaded": str(output / "loaded.npz"),
        "images": str(images),
        "progress": str(output / "progress"),
        "report": str(measured),
        "answers": str(answers),
    }
    about: About = {
        "simulator": simulator.chosen(),
        "network": options.network,
        "dataset": network.dataset,
        "inputs": inputs.source,
        "flip": options.flip,
    }
    if options.trace is not None:
        settings["trace"] = {"image": options.trace, "file": str(trace), "about": about}
    failure = None
    with _progress(output / "progress", len(inputs.images)):
        try:
            model.run("xnor_fcc_sim.stream_tests", output, settings=settings, waves=options.waves)
        except AssertionError as error:
            failure = str(error)
    if not measured.exists():
        why = simulator.reason(failure or "")
        raise ToolError(f"The simulation ended early ({why}); see {output / 'simulation.log'}.")
    if trace.exists():
        write_page(trace, page)
    found: Measured = json.loads(measured.read_bytes())
    report: Simulation = {
        **about,
        "trace": str(page) if page.exists() else None,
        "geometry": asdict(geometry),
        "widths": list(network.widths),
        "kinds": sorted(network.kinds),
        **found,
        "build_seconds": build_seconds,
        "seconds": time.monotonic() - started,
        "source": measured_on,
    }
    measured.unlink()
    write_json(report_path, report)
    if options.waves:
        period = report["model_batch_period_cycles"]
        file = waves.finish(output, geometry.lanes, report["stream_cycle"], period)
        print(f"waveforms: {file}", file=notes)
    if options.trace is not None:
        where = f"see {page}" if page.exists() else "none, for a result was not of its length"
        print(f"trace of image {options.trace}: {where}", file=notes)
    if options.json:
        print(json.dumps(report, indent=1))
    else:
        show(report)
    if failure is None:
        return 0
    print(f"error: hardware and reference differ: {report['first_difference'] or failure}",
          file=sys.stderr)
    return Exit.DIFFERS


if __name__ == "__main__":
    sys.exit(run_main(main))
