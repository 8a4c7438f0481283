// SPDX-License-Identifier: Apache-2.0
// The files of the ULX3S demo beside those of the core (rtl/sources.f) and of the serial link
// (rtl/uart/sources.f), one a line.
// Paths from the top of the repository.
rtl/boards/demo_checker.v
rtl/boards/demo_rate.v
rtl/boards/demo_ring.v
rtl/boards/reset_synchroniser.v
rtl/boards/serial_demo.v
rtl/boards/synchroniser.v
rtl/boards/ulx3s/ulx3s.v
