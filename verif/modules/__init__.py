# SPDX-License-Identifier: Apache-2.0
"""One testbench for each module of the RTL."""
