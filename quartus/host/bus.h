/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access to the system's 32-bit words by physical address: what classify.c needs of its surroundings.
 * bus_mem.c is the one for Linux on the board.
 */
#ifndef BUS_H
#define BUS_H

#include <stdint.h>

/* 0, or -1 with the reason in `errno`. */
int bus_open(void);
void bus_close(void);
uint32_t bus_read(uint32_t address);
void bus_write(uint32_t address, uint32_t value);

#endif
