// SPDX-License-Identifier: Apache-2.0
// The files of the serial host link, one a line, and of a core behind it; the core's own are in
// rtl/sources.f.
// Paths from the top of the repository.
rtl/uart/fcc_uart_crc.v
rtl/uart/fcc_uart_frames.v
rtl/uart/fcc_uart_host.v
rtl/uart/fcc_uart_receiver.v
rtl/uart/fcc_uart_transmitter.v
rtl/uart/xnor_fcc_uart.v
