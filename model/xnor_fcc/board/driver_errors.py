# SPDX-License-Identifier: Apache-2.0
"""What may go wrong between the driver and a core, each of it told in one sentence."""

from __future__ import annotations

from ..errors import UserError


class DriverError(UserError):
    """Anything the driver cannot go on from; the text is one sentence."""


class WrongCoreError(DriverError):
    """There is no xnor-fcc core at this address."""


class VersionError(DriverError):
    """The core's registers are of a version that this driver does not know."""


class UnsupportedCoreError(DriverError):
    """A core that this driver cannot run, such as one with streamed weights."""


class UnsupportedNetworkError(DriverError):
    """The network is of a kind that the core was built without."""


class NetworkTooLargeError(DriverError):
    """The network does not fit the core."""


class NotLoadedError(DriverError):
    """The core was to classify before a network has been loaded."""


class RefusedError(DriverError):
    """The core refused to start, and its ERROR register says why."""


class CorruptedLoadError(DriverError):
    """The network that arrived in the core is not the one that was sent."""


class ImageError(DriverError):
    """The images have the wrong shape or type for the network."""


class TruncatedTransferError(DriverError):
    """Not every image arrived whole, or not every answer came back."""


class DeviceTimeoutError(DriverError):
    """The core, or what moves its images, does not answer."""
