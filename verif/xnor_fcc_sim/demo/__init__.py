# SPDX-License-Identifier: Apache-2.0
"""The command `xnor-fcc demo`: a page on which the simulated core reads what somebody draws."""
