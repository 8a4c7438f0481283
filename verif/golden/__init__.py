# SPDX-License-Identifier: Apache-2.0
"""Rules of the modules in Python, without a device under test."""
