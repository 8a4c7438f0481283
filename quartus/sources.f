// SPDX-License-Identifier: Apache-2.0
// The files of the DE1-SoC demo beside those of the core (rtl/sources.f), one a line.
// Paths from the top of the repository.
quartus/de1_soc.v
quartus/demo/board_pll.v
quartus/demo/demo.v
rtl/boards/demo_checker.v
rtl/boards/demo_rate.v
rtl/boards/demo_ring.v
rtl/boards/reset_synchroniser.v
quartus/demo/seven_segment.v
rtl/boards/synchroniser.v
