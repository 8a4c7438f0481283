/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bus of quartus/host/bus.h over two pipes to a simulation: see `serve` in host_system.py.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>

#include "bus.h"

static FILE *requests;
static FILE *answers;

static FILE *pipe_of(const char *variable, const char *mode)
{
    const char *number = getenv(variable);

    return number ? fdopen(atoi(number), mode) : NULL;
}

int bus_open(void)
{
    requests = pipe_of("XFCC_REQUESTS", "w");
    answers = pipe_of("XFCC_ANSWERS", "r");
    return requests && answers ? 0 : -1;
}

void bus_close(void)
{
    if (requests)
        fclose(requests);
    requests = NULL;
}

uint32_t bus_read(uint32_t address)
{
    unsigned value = 0;

    fprintf(requests, "r %x 1\n", (unsigned)address);
    fflush(requests);
    if (fscanf(answers, "%x", &value) != 1)
        exit(3);
    return value;
}

void bus_write(uint32_t address, uint32_t value)
{
    fprintf(requests, "w %x %x\n", (unsigned)address, (unsigned)value);
}
