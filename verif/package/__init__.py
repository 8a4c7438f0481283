# SPDX-License-Identifier: Apache-2.0
"""Tests of model/xnor_fcc."""
