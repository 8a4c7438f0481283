/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Example of a host in C: loads a network into the core and classifies images, one at a time.
 *
 *   gcc -std=c99 -Wall -O2 -o classify classify.c bus_mem.c
 *   ./classify FILE
 *
 * FILE comes from `xnor-fcc pack --out FILE --images IMAGES`; model/xnor_fcc/register_script.py
 * describes it. Prints a line an image; exit code 0 if every image was answered as its label says (or
 * has no label), 1 if not, 2 with one sentence if something is wrong. The core is left stopped.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bus.h"
#include "xnor_fcc.h"

/* Seconds without an answer after which the core counts as dead. */
#ifndef PATIENCE
#define PATIENCE 5
#endif
/* The longest line of a file, that of an image. */
#define LINE_BYTES 131072

static int recognised;

static uint32_t read_register(uint32_t offset)
{
    return bus_read(XFCC_HPS_REGISTERS + XFCC_CORE_OFFSET + offset);
}

static void write_register(uint32_t offset, uint32_t value)
{
    bus_write(XFCC_HPS_REGISTERS + XFCC_CORE_OFFSET + offset, value);
}

/* Stops the core and empties the DMA engines; the loaded network stays. */
static void rest(void)
{
    write_register(XFCC_REG_CONTROL, XFCC_CONTROL_SOFT_RESET);
    bus_write(XFCC_HPS_REGISTERS + XFCC_IMAGE_CSR_OFFSET + XFCC_DMA_CONTROL,
              XFCC_DMA_CONTROL_RESET);
    bus_write(XFCC_HPS_REGISTERS + XFCC_RESULT_CSR_OFFSET + XFCC_DMA_CONTROL,
              XFCC_DMA_CONTROL_RESET);
    write_register(XFCC_REG_CONTROL, XFCC_CONTROL_SOFT_RESET);
}

/* Says what is wrong in one sentence and ends the program; what is not a core is not written to. */
static void stop(const char *format, ...)
{
    va_list arguments;

    if (recognised)
        rest();
    bus_close();
    fputs("error: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(2);
}

/* Waits until `mask` of a word is all clear (`wanted` 0) or not. */
static void wait_for(uint32_t address, uint32_t mask, int wanted, const char *complaint)
{
    time_t end = time(NULL) + PATIENCE;

    while (!(bus_read(address) & mask) == !!wanted)
        if (time(NULL) > end)
            stop("%s within %d s; the core dropped %u images, its ERROR register is 0x%x.",
                 complaint, PATIENCE, (unsigned)read_register(XFCC_REG_DROPPED),
                 (unsigned)read_register(XFCC_REG_ERROR));
}

static void post(uint32_t port, uint32_t read, uint32_t write, uint32_t length, uint32_t control)
{
    uint32_t base = XFCC_HPS_REGISTERS + port;

    bus_write(base + XFCC_DMA_READ_ADDRESS, read);
    bus_write(base + XFCC_DMA_WRITE_ADDRESS, write);
    bus_write(base + XFCC_DMA_LENGTH, length);
    bus_write(base + XFCC_DMA_DESCRIPTOR_CONTROL, control);
}

/* The next number of the line, hexadecimal; 0 at its end. */
static int next(uint32_t *value)
{
    char *word = strtok(NULL, " \n");

    if (!word)
        return 0;
    *value = (uint32_t)strtoul(word, NULL, 16);
    return 1;
}

/* The next number, which must be there. */
static uint32_t needed(void)
{
    uint32_t value = 0;

    if (!next(&value))
        stop("a line of the file ends too early.");
    return value;
}

/* A register must read what the line says; the complaint takes its name, what it is, what it
 * should be. */
static void demand(const char *complaint)
{
    uint32_t offset = needed(), value = needed(), found = read_register(offset);
    const char *name = strtok(NULL, " \n");

    if (found != value)
        stop(complaint, name ? name : "register", (unsigned)found, (unsigned)value);
}

/* Reads the words of an image from the line, returns its class. */
static uint32_t classify(uint32_t number, uint32_t bytes, uint32_t classes)
{
    /* The result is behind the image, at a multiple of the longest beat. */
    uint32_t result = (bytes + 63) / 64 * 64, last = result + 4 * classes, address, raw, answered;

    if (last + 4 > XFCC_BUFFER_BYTES)
        stop("an image of %u bytes does not fit the buffer.", (unsigned)bytes);
    for (address = 0; address < bytes; address += 4)
        bus_write(XFCC_HPS_BUFFER + address, needed());
    /* The registers are behind another bridge: only what is read back has surely arrived. */
    (void)bus_read(XFCC_HPS_BUFFER + address - 4);
    post(XFCC_RESULT_DESCRIPTOR_OFFSET, 0, XFCC_DMA_BUFFER + result, 4 * (classes + 1),
         XFCC_DMA_GO);
    post(XFCC_IMAGE_DESCRIPTOR_OFFSET, XFCC_DMA_BUFFER, 0, bytes,
         XFCC_DMA_GO | XFCC_DMA_GENERATE_SOP | XFCC_DMA_GENERATE_EOP);
    wait_for(XFCC_HPS_REGISTERS + XFCC_RESULT_CSR_OFFSET + XFCC_DMA_STATUS, XFCC_DMA_STATUS_BUSY,
             0, "an image was not answered");
    /* Class and number, the first byte of the stream first in memory. */
    raw = bus_read(XFCC_HPS_BUFFER + last);
    answered = (raw >> 16 & 0xff) << 8 | (raw >> 24 & 0xff);
    if (answered != (number & 0xffff))
        stop("image %u was answered as image %u.", (unsigned)number, (unsigned)answered);
    return (raw & 0xff) << 8 | (raw >> 8 & 0xff);
}

int main(int count, char **arguments)
{
    static char line[LINE_BYTES];
    uint32_t control = XFCC_CONTROL_ENABLE, classes = 0, number = 0, wrong = 0;
    FILE *file;

    if (count != 2)
        stop("one file is needed; usage: %s FILE", arguments[0]);
    file = fopen(arguments[1], "r");
    if (!file)
        stop("%s cannot be read (%s).", arguments[1], strerror(errno));
    if (bus_open())
        stop("/dev/mem cannot be used (%s); run this as root.", strerror(errno));
    if (read_register(XFCC_REG_ID) != XFCC_ID_VALUE)
        stop("there is no xnor-fcc core here: its identification reads 0x%08x.",
             (unsigned)read_register(XFCC_REG_ID));
    recognised = 1;
    rest();

    while (fgets(line, sizeof line, file)) {
        const char *command;
        uint32_t offset, value;

        if (!strchr(line, '\n'))
            stop("%s has a line that is too long or cut off.", arguments[1]);
        command = strtok(line, " \n");
        if (!command || command[0] == '#')
            continue;
        if (!strcmp(command, "expect")) {
            demand("the core's %s is 0x%x, but the file is for a core where it is 0x%x.");
        } else if (!strcmp(command, "write")) {
            offset = needed();
            while (next(&value))
                write_register(offset, value);
        } else if (!strcmp(command, "check")) {
            demand("the network did not arrive as it was sent: %s is 0x%x, not 0x%x.");
        } else if (!strcmp(command, "control")) {
            control = needed();
        } else if (!strcmp(command, "classes")) {
            classes = needed();
        } else if (!strcmp(command, "image")) {
            uint32_t bytes = needed(), label = needed(), found;

            if (number == 0) {
                write_register(XFCC_REG_CONTROL, control);
                wait_for(XFCC_HPS_REGISTERS + XFCC_CORE_OFFSET + XFCC_REG_STATUS,
                         XFCC_STATUS_RUNNING, 1, "the core does not start");
            }
            found = classify(number, bytes, classes);
            printf("image %u: %u", (unsigned)number, (unsigned)found);
            if (label != 0xffffffffu && label != found) {
                printf(", not %u", (unsigned)label);
                wrong++;
            }
            putchar('\n');
            number++;
        } else {
            stop("%s is not a file of xnor-fcc pack: it says %s.", arguments[1], command);
        }
    }
    fclose(file);
    printf("%u images, %u wrong\n", (unsigned)number, (unsigned)wrong);
    rest();
    bus_close();
    return wrong > 0;
}
