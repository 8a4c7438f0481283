# SPDX-License-Identifier: Apache-2.0
"""Tests of the command line, its pages, traces, waveforms and packaging."""
