/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bus of bus.h through /dev/mem, for Linux on the processor of the DE1-SoC, as root.
 */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64

#include "bus.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "xnor_fcc.h"

static volatile uint32_t *registers;
static volatile uint32_t *buffer;

static volatile uint32_t *map(int file, uint32_t base, size_t size)
{
    void *address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, (off_t)base);

    return address == MAP_FAILED ? NULL : address;
}

int bus_open(void)
{
    /* O_SYNC: the processor must not cache, join or reorder accesses. */
    int file = open("/dev/mem", O_RDWR | O_SYNC);

    if (file < 0)
        return -1;
    registers = map(file, XFCC_HPS_REGISTERS, XFCC_REGISTER_BYTES);
    buffer = map(file, XFCC_HPS_BUFFER, XFCC_BUFFER_BYTES);
    close(file);
    if (registers && buffer)
        return 0;
    bus_close();
    return -1;
}

void bus_close(void)
{
    if (registers)
        munmap((void *)registers, XFCC_REGISTER_BYTES);
    if (buffer)
        munmap((void *)buffer, XFCC_BUFFER_BYTES);
    registers = buffer = NULL;
}

static volatile uint32_t *word(uint32_t address)
{
    if (address >= XFCC_HPS_REGISTERS)
        return registers + (address - XFCC_HPS_REGISTERS) / 4;
    return buffer + (address - XFCC_HPS_BUFFER) / 4;
}

uint32_t bus_read(uint32_t address)
{
    return *word(address);
}

void bus_write(uint32_t address, uint32_t value)
{
    *word(address) = value;
}
