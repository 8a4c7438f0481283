# SPDX-License-Identifier: Apache-2.0
"""`make soak`: random system tests for as long as wanted.

Hypothesis draws scenarios (strategies.py): a geometry, networks, traffic, faults, resets.
Each is played by a simulation of its own (scenario_tests.py), by Icarus, every 40th by Verilator. A
seed is printed; with the same sources it draws the same scenarios (Hypothesis also tries constants
that it finds in them). The first scenario that fails is shrunk to a small one that fails too, which
is saved in verif/campaigns/scenarios/saved/, where the test suite plays it from then on.

One process works at a time. It works on a copy of the repository as it was at the beginning.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, configuration, given
from hypothesis import seed as seeded
from hypothesis import settings as hypothesis_settings
from tqdm import tqdm

from campaigns.scenarios.player import COUNTS, Outcome
from campaigns.scenarios.scenario import SAVED, Saved, Scenario
from campaigns.scenarios.strategies import learn_scenarios, map_scenarios, scenarios
from xnor_fcc.errors import CommandLine, UserError, run_main
from xnor_fcc.files import write_json
from xnor_fcc.generated import fill
from xnor_fcc.places import BUILD
from xnor_fcc.tables import markdown
from xnor_fcc_sim.sources import ROOT, RTL
from xnor_fcc_sim.toolchain import SIMULATORS

OUTPUT = BUILD / "soak"
PAGE = Path(__file__).with_name("SOAK.md")
# So many scenarios are drawn in a row: from the eleventh on Hypothesis mostly varies earlier ones.
_DRAWN = 10
# Built cores that are kept: shrinking comes back to them.
_KEPT = 12
# Seconds of one scenario; its own limit, in cycles, comes first unless the simulator hangs.
_HANGS = 900


# What is drawn: cores for dense layers, those that learn, or for convolutions, which take longer.
_KINDS = {"dense": scenarios, "learn": learn_scenarios, "maps": map_scenarios}
_TURNS = ("dense", "learn", "dense", "maps")


class _Failed(AssertionError):
    """A scenario that fails."""


class _Enough(BaseException):
    """The time is up."""


class Soak:
    """One run: its figures, and the copy that it works on."""

    def __init__(
        self,
        output: Path,
        seed: int,
        minutes: float,
        most: int,
        every: int,
        shrink: float,
        only: str = "",
    ) -> None:
        self.output, self.seed, self.most, self.every = output, seed, most, every
        self.only = only
        self.begin = time.monotonic()
        self.end = self.begin + 60 * minutes
        self.shrink = shrink
        self.work = output / "work"
        self.report: dict[str, Any] = {
            "minutes": 0.0, "seed": seed, "commit": _commit(), "began": time.strftime("%F %T"),
            "ended": "running", "scenarios": 0, "in_verilator": 0, **dict.fromkeys(COUNTS, 0),
            "shrinking": 0, "failures": [],
        }  # fmt: skip
        self.played: dict[tuple[str, str], Outcome] = {}
        self.smallest: Saved | None = None  # of those that failed
        self.shrink_end = 0.0
        self.written = self.begin
        self.bar: tqdm[Any] | None = None
        shutil.rmtree(self.work, ignore_errors=True)
        self.tree = _copy(self.work / "tree")

    def write(self) -> None:
        """The report as it stands."""
        self.report["minutes"] = round((time.monotonic() - self.begin) / 60, 2)
        write_json(self.output / "report.json", self.report)
        self.written = time.monotonic()

    def run(self) -> Saved | None:
        """Play scenarios until the time is up; the smallest one found that fails, or None."""
        terminal = sys.stderr.isatty()
        with tqdm(
            total=round(self.end - self.begin), unit="s", desc="soak", file=sys.stderr,
            mininterval=1 if terminal else 60,
        ) as self.bar:  # fmt: skip
            try:
                self.write()
                for number in range(1 << 30):
                    self._draw(number)
            except (_Enough, _Failed):
                self.report["ended"] = "failure" if self.smallest else "time"
            except BaseException as error:
                self.report["ended"] = "failure" if self.smallest else "interrupted"
                # A failure that was found matters more than that its shrinking was interrupted.
                if not self.smallest or not isinstance(error, KeyboardInterrupt):
                    raise
            finally:
                self.write()
        return self.smallest

    def close(self) -> None:
        """Remove what only the run needed."""
        shutil.rmtree(self.work, ignore_errors=True)

    def _draw(self, number: int) -> None:
        """Draw some scenarios and play them; where one fails, draw smaller ones, then raise
        `_Failed`."""

        @seeded(self.seed * 1_000_003 + number)
        @hypothesis_settings(
            max_examples=_DRAWN, database=None, deadline=None, print_blob=False,
            phases=[Phase.generate, Phase.shrink], verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
        )  # fmt: skip
        @given(_KINDS[self.only or _TURNS[number % len(_TURNS)]]())
        def play(scenario: Scenario) -> None:
            self._judge(scenario)

        try:
            play()
        except _Failed:
            self._leave_out()
            raise

    def _leave_out(self) -> None:
        """Leave out one part of the smallest failure after the other until none can be spared:
        where Hypothesis ends depends on the draw, and often there is something left to lose."""
        found = None
        while self.smallest is not None and self.smallest is not found:
            found = self.smallest
            with contextlib.suppress(_Failed):
                for scenario in found.scenario.smaller():
                    self._judge(scenario)

    def _judge(self, scenario: Scenario) -> None:
        """Play a scenario unless that has been done; raises `_Failed` where it fails."""
        if self.smallest:
            key = (scenario.digest, self.smallest.simulator)
            if key not in self.played:
                if time.monotonic() > self.shrink_end:
                    raise _Enough
                self.report["shrinking"] += 1
                self.played[key] = self._simulate(scenario, key[1])
        else:
            if time.monotonic() > self.end or self.report["scenarios"] >= self.most:
                raise _Enough
            if any((scenario.digest, sim) in self.played for sim in SIMULATORS):
                return
            verilator = self.report["scenarios"] % self.every == self.every - 1
            key = (scenario.digest, "verilator" if verilator else "icarus")
            outcome = self.played[key] = self._simulate(scenario, key[1])
            self._count(outcome, verilator)
            if outcome.failure and verilator:  # Icarus shrinks faster, if it fails there too
                quick = (scenario.digest, "icarus")
                self.played[quick] = self._simulate(scenario, "icarus")
                key = quick if self.played[quick].failure else key
            if outcome.failure:
                self.shrink_end = time.monotonic() + self.shrink
                tqdm.write(f"failed: {outcome.failure}; looking for a smaller scenario")
        failure = self.played[key].failure
        self.played[key].log = ""
        if failure:
            found = Saved(scenario, key[1], failure)
            if self.smallest is None or found.size <= self.smallest.size:
                self.smallest = found
            raise _Failed(failure)

    def _count(self, outcome: Outcome, verilator: bool) -> None:
        self.report["scenarios"] += 1
        self.report["in_verilator"] += verilator
        for name in COUNTS:
            self.report[name] += outcome.counts[name]
        now = time.monotonic()
        if self.bar is not None:
            self.bar.update(min(self.bar.total, round(now - self.begin)) - self.bar.n)
            self.bar.set_postfix(
                scenarios=self.report["scenarios"], images=self.report["images"], refresh=False
            )
        if now - self.written > 60:
            self.write()

    def _simulate(self, scenario: Scenario, sim: str) -> Outcome:
        """Play a scenario in a process of its own, which is ended if it hangs."""
        given = self.work / "scenario"
        path = Saved(scenario, sim, "").save(given)
        place = self.work / "run"
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(str(self.tree / part) for part in ("model", "verif")),
            "XNOR_FCC_BUILD": str(self.work / "build"),
            "SIM": sim,
            # One core is enough for all of it.
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
        }
        environment.pop("XNOR_FCC_RTL", None)  # the copy is of those files
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # and is compiled once
        command = [sys.executable, "-m", "campaigns.scenarios.player", str(path)]
        with (self.work / "player.log").open("w") as log:
            process = subprocess.Popen(
                [*command, str(place)], env=environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
            try:
                code = process.wait(_HANGS)
            except subprocess.TimeoutExpired:
                return Outcome(f"the simulation did not end within {_HANGS} seconds")
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                shutil.rmtree(given)
                self._tidy()
        outcome = place / "outcome.json"
        if code or not outcome.exists():
            text = (self.work / "player.log").read_text()
            return Outcome((text.strip().splitlines() or ["the player died"])[-1][:300], text)
        return Outcome(**json.loads(outcome.read_text()))

    def _tidy(self) -> None:
        """Keep the newest of the built cores only."""
        models = list((self.work / "build" / "models").glob("xnor_fcc-*"))
        for path in sorted(models, key=lambda path: path.stat().st_mtime)[:-_KEPT]:
            shutil.rmtree(path, ignore_errors=True)


def _copy(tree: Path) -> Path:
    """What a simulation needs, as it is now, with the core's sources that are in use."""
    packages = ("xnor_fcc_sim", "golden", "core", "campaigns")
    for package in ("model/xnor_fcc", *(f"verif/{name}" for name in packages)):
        shutil.copytree(ROOT / package, tree / package,
                        ignore=shutil.ignore_patterns("__pycache__"))  # fmt: skip
    (tree / "rtl").mkdir()
    shutil.copy(ROOT / "rtl" / "sources.f", tree / "rtl")
    for path in (*RTL.glob("*.v"), *RTL.glob("*.vh")):
        shutil.copy(path, tree / "rtl")
    return tree


def _commit() -> str:
    """The commit that is tested, with "-dirty" where files differ from it."""
    try:
        command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def replay(path: Path, sim: str, output: Path) -> Outcome:
    """Play one saved scenario with its simulator, or with `sim`."""
    saved = Saved.load(path)
    run = Soak(output, 0, 0, 0, 1, 0)
    try:
        return run._simulate(saved.scenario, sim or saved.simulator)
    finally:
        run.close()


def page(report: dict[str, Any]) -> str:
    """The part of SOAK.md that is generated."""
    rows = [
        ("command", f"`make soak MINUTES={report['minutes_asked']:g} SEED={report['seed']}`"),
        ("commit", f"`{report['commit']}`"),
        ("began", report["began"]),
        ("minutes", f"{report['minutes']:.1f}"),
        ("scenarios", f"{report['scenarios']:,}, {report['in_verilator']:,} of them in Verilator"),
        *((name.replace("_", " "), f"{report[name]:,}") for name in COUNTS),
        ("failures", f"{len(report['failures'])}"),
    ]
    lines = [markdown(("", ""), rows)]
    lines += [f"\n- `{f['scenario']}`: {f['why']}" for f in report["failures"]]
    return "\n".join(lines)


def write_page(report: dict[str, Any], path: Path = PAGE) -> None:
    """Put the result into SOAK.md."""
    fill(path, page(report))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = CommandLine(
        prog="make soak",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="The report is report.json in the output directory, written every minute. Ctrl-C "
        "ends a run with its report; while a failure is shrunk, with the smallest found so far. "
        "make soak ARGS='--replay verif/campaigns/scenarios/saved/NAME.json' plays a saved one "
        "once more.",
    )
    add = result.add_argument
    add("--minutes", type=float, default=10, help="how long (10)")
    add("--seed", type=int, help="what is drawn; printed (a random one)")
    add("--scenarios", type=int, default=1 << 30, metavar="N", help="at most so many")
    add("--every", type=int, default=40, metavar="N", help="every Nth in Verilator (40)")
    add("--only", choices=_KINDS, default="", help="only such cores (every second draw is dense)")
    add("--shrink", type=float, default=300, metavar="SECONDS",
        help="at most, to find a smaller scenario that fails (300, more are not used)")  # fmt: skip
    add("--replay", type=Path, metavar="FILE", help="play a saved scenario and nothing else")
    add("--simulator", choices=SIMULATORS, default="", help="of --replay: another than saved")
    add("--output", type=Path, default=OUTPUT, help="directory of the report (build/soak)")
    add("--saved", type=Path, default=SAVED, help="where a failure goes (verif/scenarios)")
    add("--write", action="store_true", help="put the result into SOAK.md")
    return result


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """SIGINT and SIGTERM end the run with its report, even where a shell has them ignored."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: exit code 0 when no scenario failed, 1 when one did."""
    arguments = parser().parse_args(argv)
    if arguments.minutes <= 0 or arguments.every < 1 or arguments.scenarios < 1:
        raise UserError("--minutes, --scenarios and --every must be greater than 0.")
    if shutil.which("iverilog") is None:
        raise UserError("iverilog is needed: install it (Debian: apt install iverilog).")
    with _interruptible():
        if arguments.replay:
            outcome = replay(arguments.replay, arguments.simulator, arguments.output)
            if outcome.failure:
                print(outcome.log)
                print(f"soak: {arguments.replay} fails: {outcome.failure}", file=sys.stderr)
                return 1
            print(f"{arguments.replay} passes: {outcome.counts}")
            return 0
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    seed = random.randrange(1 << 32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}")
    configuration.set_hypothesis_home_dir(arguments.output / "hypothesis")
    soak = Soak(
        arguments.output, seed, arguments.minutes, arguments.scenarios, arguments.every,
        arguments.shrink, arguments.only,
    )  # fmt: skip
    soak.report["minutes_asked"] = arguments.minutes
    try:
        saved = soak.run()
    finally:
        soak.close()
    report = soak.report
    if saved:
        path = saved.save(arguments.saved)
        failure = {"scenario": path.name, "simulator": saved.simulator, "why": saved.why}
        report["failures"].append(failure)
        soak.write()
    if arguments.write:
        write_page(report)
    print(", ".join(f"{report[name]} {name.replace('_', ' ')}" for name in ("scenarios", *COUNTS)))
    if saved:
        print(f"soak: a scenario failed ({saved.why}); it is saved as {path}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
