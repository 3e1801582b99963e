// What the flood's two ends agree on.
#ifndef P2E_TESTS_BULK_FLOOD_H
#define P2E_TESTS_BULK_FLOOD_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "flood.pb-c.h"

// What is to become of a message; rule i is P2E_FLOOD_RULES + i.
enum p2e_flood_fate { P2E_FLOOD_PASS, P2E_FLOOD_MALFORMED, P2E_FLOOD_RULES };

// A sequence number is the sender's own above this bit, and a count below.
#define P2E_FLOOD_SENDER_SHIFT 40

union p2e_flood_address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_un un;
};

// "8000": UDP on 127.0.0.1; "/some/path": a UNIX datagram socket.
static inline union p2e_flood_address p2e_flood_address(const char *text)
{
    union p2e_flood_address address = {0};

    if (*text == '/') {
        address.un.sun_family = AF_UNIX;
        strncpy(address.un.sun_path, text, sizeof(address.un.sun_path) - 1);
    } else {
        address.in.sin_family = AF_INET;
        address.in.sin_port = htons((uint16_t)atoi(text));
        address.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    return address;
}

static inline socklen_t p2e_flood_address_size(const union p2e_flood_address *address)
{
    return address->any.sa_family == AF_UNIX ? sizeof(address->un) : sizeof(address->in);
}

// The rules of flood.conf: P2E_FLOOD_PASS, or P2E_FLOOD_RULES + the first that does not hold.
static inline enum p2e_flood_fate p2e_flood_judge(const Bulk__Event *event)
{
    bool codes = event->n_codes <= 8;

    for (size_t i = 0; i < event->n_codes; i++)
        codes = codes && event->codes[i] != 13;
    if (strncmp(event->source, "sensor/", 7) != 0)
        return P2E_FLOOD_RULES;
    if (event->level < -10 || event->level > 10)
        return P2E_FLOOD_RULES + 1;
    if (event->detail && event->detail->secret)
        return P2E_FLOOD_RULES + 2;
    return codes ? P2E_FLOOD_PASS : P2E_FLOOD_RULES + 3;
}

#endif
