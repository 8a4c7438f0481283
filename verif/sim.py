# SPDX-License-Identifier: Apache-2.0
"""`make sim`: MNIST through the simulated core, every hidden bit, score and cycle checked."""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

import simulator
from report_source import source
from xnor_fcc.container import write_json
from xnor_fcc.data import load_test_images
from xnor_fcc.errors import UserError, run_main
from xnor_fcc.geometry import NAMED, Geometry
from xnor_fcc.integer import IntegerNetwork, Layer, OutputLayer, ShiftLayer, find_network
from xnor_fcc.pack import pack

# Icarus simulates about a thousandth of Verilator's speed: a small core and a few images.
DEFAULTS: dict[str, Any] = {
    "verilator": {"geometry": NAMED["default"], "images": 10_000},
    "icarus": {"geometry": (128, 32, 2), "images": 4},
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(
        prog="make sim",
        description=__doc__,
        epilog="With make, write options as variables: make sim IMAGES=100 PE=16. The figures are "
        "printed and written to build/sim/report.json; the exit code is 0 only if every bit and "
        "every cycle was right.",
    )
    result.add_argument("--images", type=int, help="how many test images (default: all 10,000)")
    result.add_argument(
        "--geometry",
        choices=sorted(NAMED),
        help="a geometry by name, each of whose sizes can still be changed",
    )
    result.add_argument("--pe", type=int, help="neurons computed at once in a lane (default: 32)")
    result.add_argument("--simd", type=int, help="synapses per PE and cycle (default: 128)")
    result.add_argument("--lanes", type=int, help="images computed in step (default: 4)")
    result.add_argument(
        "--weight-stream",
        type=int,
        default=0,
        metavar="BITS",
        help="a core without a weight memory: weights come over a port of so many bits",
    )
    result.add_argument(
        "--network",
        default="mnist",
        help="a network of model/networks by name, or the path of a network file (default: mnist)",
    )
    result.add_argument(
        "--flip",
        metavar="WHERE",
        help="plant one fault in what is loaded, to see it caught: weight:LAYER:NEURON:INPUT turns "
        "a weight (one of 0 into -1), threshold:LAYER:NEURON moves a threshold (or a bias) by one",
    )
    result.add_argument("--waves", action="store_true", help="record waveforms")
    result.add_argument(
        "--output",
        type=Path,
        default=simulator.BUILD / "sim",
        help="directory for the report, the log and the waveforms (default: build/sim)",
    )
    return result


def plant_fault(network: IntegerNetwork, where: str) -> IntegerNetwork:
    """A copy of `network` with one weight or one threshold changed; see --flip."""
    kind, *numbers = where.split(":")
    try:
        place = [int(number) for number in numbers]
    except ValueError:
        place = []
    if len(place) != {"weight": 3, "threshold": 2}.get(kind, -1):
        raise UserError(
            f"FLIP={where} is neither weight:LAYER:NEURON:INPUT nor threshold:LAYER:NEURON."
        )
    layers = list(network.layers)
    if not 0 <= place[0] < len(layers):
        raise UserError(f"FLIP={where}: the network has layers 0 to {len(layers) - 1}.")
    layer = layers[place[0]]
    assert not isinstance(layer, ShiftLayer)  # no core computes one
    if not 0 <= place[1] < layer.outputs or (kind == "weight" and not 0 <= place[2] < layer.inputs):
        raise UserError(
            f"FLIP={where}: layer {place[0]} has neurons 0 to {layer.outputs - 1} with inputs 0 to "
            f"{layer.inputs - 1}."
        )
    layers[place[0]] = (
        _other_weight(layer, *place[1:]) if kind == "weight" else _other_threshold(layer, place[1])
    )
    return replace(network, hidden=tuple(layers[:-1]), output=layers[-1])  # type: ignore[arg-type]


def _other_weight(layer: Layer | OutputLayer, neuron: int, synapse: int) -> Layer | OutputLayer:
    if layer.mask is not None and not layer.mask[neuron, synapse]:
        mask = layer.mask.copy()
        mask[neuron, synapse] = 1
        return replace(layer, mask=mask)
    weights = layer.weights.copy()
    weights[neuron, synapse] ^= 1
    return replace(layer, weights=weights)


def _other_threshold(layer: Layer | OutputLayer, neuron: int) -> Layer | OutputLayer:
    if isinstance(layer, OutputLayer):
        bias = layer.bias.copy()
        bias[neuron] += 1
        return replace(layer, bias=bias)
    thresholds = layer.thresholds.copy()
    before = thresholds[neuron]
    if layer.lower is None or layer.upper is None:
        thresholds[neuron] += 1 if before <= layer.most else -1
        return replace(layer, thresholds=thresholds)
    # Within its neighbours where there is room, else one of them moves along.
    lower, upper = layer.lower.copy(), layer.upper.copy()
    up = before < upper[neuron] or lower[neuron] == before <= layer.most
    thresholds[neuron] += 1 if up else -1
    lower[neuron] = min(lower[neuron], thresholds[neuron])
    upper[neuron] = max(upper[neuron], thresholds[neuron])
    return replace(layer, thresholds=thresholds, lower=lower, upper=upper)


def prepare(options: argparse.Namespace) -> tuple[Geometry, IntegerNetwork, IntegerNetwork]:
    """Everything that can be refused, before anything is written: (geometry, network, loaded)."""
    sim = simulator.chosen()
    default = DEFAULTS[sim]
    sizes = NAMED[options.geometry] if options.geometry else default["geometry"]
    for name, value in zip(("pe", "simd", "lanes"), sizes, strict=True):
        if getattr(options, name) is None:
            setattr(options, name, value)
    if options.images is None:
        options.images = default["images"]
    network = IntegerNetwork.load(find_network(options.network))
    images, _ = load_test_images()
    if not 1 <= options.images <= len(images):
        raise UserError(f"IMAGES={options.images} is outside 1 to {len(images)}.")
    if network.inputs != images.shape[1]:
        raise UserError(
            f"The network takes {network.inputs} pixels, but MNIST images have {images.shape[1]}."
        )
    geometry = Geometry.for_widths(
        network.shape,
        options.pe,
        options.simd,
        options.lanes,
        weight_stream=options.weight_stream,
    )
    loaded = plant_fault(network, options.flip) if options.flip else network
    pack(loaded, geometry)
    return geometry, network, loaded


class _Progress:
    """A bar that follows the file in which the running simulation notes how far it is."""

    def __init__(self, path: Path, images: int) -> None:
        self.path = path
        self.images = images
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> None:
        self.path.unlink(missing_ok=True)
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()

    def _follow(self) -> None:
        with tqdm(total=self.images, unit="image", desc="loading", mininterval=1.0) as bar:
            while True:
                stopped = self.stop.wait(0.5)
                text = self.path.read_text() if self.path.exists() else ""
                if text.isdigit() and int(text) > bar.n:
                    bar.set_description("simulating", refresh=False)
                    bar.update(int(text) - bar.n)
                if stopped:
                    return


def show(report: dict[str, Any]) -> None:
    """Print the figures of a run."""
    rows = [
        ("images", f"{report['images']:,}"),
        ("wrong bits", f"{report['wrong_bits']} (hidden bits checked: "
         f"{report['hidden_bits_checked']:,})"),
        ("accuracy", f"{report['accuracy']:.4f}, the model's {report['model_accuracy']:.4f}"),
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


def main() -> int:
    """Build, run, report."""
    options = parser().parse_args()
    geometry, network, loaded = prepare(options)
    started = time.monotonic()
    measured_on = source()
    output = options.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    report_path, measured = output / "report.json", output / "measured.json"
    answers = output / "answers.npz"
    for stale in (report_path, measured, answers):
        stale.unlink(missing_ok=True)
    network.save(output / "network.npz")
    loaded.save(output / "loaded.npz")

    note = {
        "verilator": "building takes a minute or two, once for each geometry",
        "icarus": "this simulator takes a minute or two to load a network and for every few images",
    }[simulator.chosen()]
    sizes = f"PE={geometry.pe} SIMD={geometry.simd} LANES={geometry.lanes}"
    sizes += " ORDER=2" * (geometry.order == 2) + " TERNARY=1" * geometry.ternary
    print(f"{sizes}: {note}", flush=True)
    model = simulator.build("xnor_fcc", geometry.parameters(), large=True, waves=options.waves)
    build_seconds = time.monotonic() - started

    failure = None
    with _Progress(output / "progress", options.images):
        try:
            model.run(
                "mnist_tests",
                output,
                settings={
                    "geometry": asdict(geometry),
                    "network": str(output / "network.npz"),
                    "loaded": str(output / "loaded.npz"),
                    "images": options.images,
                    "progress": str(output / "progress"),
                    "report": str(output / "measured.json"),
                    "answers": str(answers),
                },
                waves=options.waves,
            )
        except AssertionError as error:
            failure = str(error)
    if not measured.exists():
        raise UserError(f"The simulation ended early; see {output / 'simulation.log'}.")
    report = {
        "simulator": simulator.chosen(),
        "network": options.network,
        "flip": options.flip,
        "geometry": asdict(geometry),
        "widths": list(network.widths),
        "kinds": sorted(network.kinds),
        **json.loads(measured.read_text()),
        "build_seconds": build_seconds,
        "seconds": time.monotonic() - started,
        "source": measured_on,
    }
    measured.unlink()
    write_json(report_path, report)
    show(report)
    if failure is None:
        return 0
    print(f"error: hardware and reference differ: {report['first_difference'] or failure}",
          file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(run_main(main))
