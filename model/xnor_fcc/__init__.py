# SPDX-License-Identifier: Apache-2.0
"""The model side of the XNOR-Net fully connected core."""

# The version of a release: that of the package, of the core files for FuseSoC and of the Platform
# Designer component (`make facts`). The register map has a version of its own, in registers.json,
# which says what software a core goes with.
__version__ = "0.1.0"
