/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bus of bus.h over TCP to the simulated core of `xnor-fcc serve`, whose --help has the protocol.
 *
 *   gcc -std=c99 -Wall -O2 -o classify classify.c bus_tcp.c
 *   XFCC_PORT=5000 ./classify FILE
 */
#define _POSIX_C_SOURCE 200809L

#include "bus.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static FILE *requests;
static FILE *answers;

int bus_open(void)
{
    const char *port = getenv("XFCC_PORT");
    struct sockaddr_in address = {0};
    int file = socket(AF_INET, SOCK_STREAM, 0);
    int now = 1;

    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)atoi(port ? port : "5000"));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (file < 0 || connect(file, (struct sockaddr *)&address, sizeof address)) {
        if (file >= 0)
            close(file);
        return -1;
    }
    setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &now, sizeof now);
    requests = fdopen(file, "w");
    answers = fdopen(dup(file), "r");
    return requests && answers ? 0 : -1;
}

void bus_close(void)
{
    if (requests)
        fclose(requests);
    if (answers)
        fclose(answers);
    requests = answers = NULL;
}

uint32_t bus_read(uint32_t address)
{
    char line[256] = "";
    char *end;
    unsigned long value;

    fprintf(requests, "r %lx 1\n", (unsigned long)address);
    fflush(requests);
    if (!fgets(line, sizeof line, answers))
        line[0] = '\0';
    value = strtoul(line, &end, 16);
    if (end == line || *end != '\n') {
        line[strcspn(line, "\n")] = '\0';
        fprintf(stderr, "%s\n", line[0] ? line : "error: the server has gone.");
        exit(2);
    }
    return (uint32_t)value;
}

void bus_write(uint32_t address, uint32_t value)
{
    fprintf(requests, "w %lx %lx\n", (unsigned long)address, (unsigned long)value);
}
