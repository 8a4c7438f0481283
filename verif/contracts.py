# SPDX-License-Identifier: Apache-2.0
"""A contract for import-linter: nobody imports a file of tests.

What two files of tests share belongs into a file that is none: then a test can be changed, moved or
deleted without a look at who else stands on it. pyproject.toml has this contract and the others.
"""

from __future__ import annotations

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, output


def is_tests(module: str) -> bool:
    """Whether a module, by its full name, is a file of tests: of pytest or of cocotb."""
    name = module.rpartition(".")[2]
    return name.startswith("test_") or name.endswith("_tests")


class NobodyImportsTests(Contract):
    """Broken by every import of a file of tests, in a file of tests too."""

    type_name = "nobody_imports_tests"

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """All imports of the root packages and what they import."""
        found = [
            (importer, tests)
            for tests in sorted(filter(is_tests, graph.modules))
            for importer in sorted(graph.find_modules_that_directly_import(tests))
        ]
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """One line for each."""
        for importer, tests in check.metadata["found"]:
            output.print_error(f"- {importer} -> {tests}")
