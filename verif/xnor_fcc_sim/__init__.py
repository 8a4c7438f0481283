# SPDX-License-Identifier: Apache-2.0
"""The core in a simulator: what `xnor-fcc simulate` and `xnor-fcc report` run."""
