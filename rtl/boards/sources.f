// SPDX-License-Identifier: Apache-2.0
// A core with a serial line, for boards; its files are in rtl/sources.f, those of the line in
// rtl/uart/sources.f. Paths from the top of the repository.
rtl/boards/xnor_fcc_uart.v
