// Sends numbered messages at full speed to a socket that need not be there yet:
//
//     flood_send ADDRESS SENDER COUNT SEED FATES
//
// A random mix: messages that obey, that break a rule, that are malformed. Ends when COUNT messages
// were sent since the last one that was refused. FATES then holds a byte for each message that was
// sent, in order: what is to become of it.
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "tests/bulk/flood.h"
#include "tests/bulk/random.h"

#define POOL        8192
#define MAX_CODES   9
#define MAX_PAYLOAD 60000
#define HEAD_START  10000       // messages, before the server is told to bind
#define MAX_TOTAL   (64u << 20) // messages
#define MAX_SECONDS 60          // of being refused

struct message {
    uint8_t *data;
    size_t size;
    uint8_t fate;
};

struct flood {
    int fd;
    union p2e_flood_address address;
    uint64_t sender;
    unsigned long count;
    struct p2e_bulk_random random;
    struct message pool[POOL];
    uint8_t *fates; // of all that was sent
    size_t sent;
};

static size_t random_payload(struct p2e_bulk_random *random)
{
    if (p2e_bulk_below(random, 1000) < 2)
        return p2e_bulk_below(random, MAX_PAYLOAD);
    return p2e_bulk_below(random, p2e_bulk_chance(random, 5) ? 1400 : 60);
}

static void break_rule(struct p2e_bulk_random *random, Bulk__Event *event)
{
    static char source[] = "actor/1";

    switch (p2e_bulk_below(random, 4)) {
    case 0:
        event->source = source;
        break;
    case 1:
        event->level = p2e_bulk_chance(random, 50) ? 11 : INT32_MIN;
        break;
    case 2:
        event->detail->secret = true;
        break;
    default:
        event->codes[0] = 13;
        event->n_codes = MAX_CODES;
    }
}

// Something at the end that no parser accepts. The sequence number in front stays readable.
static void damage(struct p2e_bulk_random *random, struct message *message)
{
    static const struct {
        size_t size;
        const char *bytes;
    } faults[] = {
        {1, "\x12"},                                              // a tag and no length
        {2, "\x18\x80"},                                          // a varint without end
        {12, "\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"}, // a varint of eleven bytes
        {2, "\x00\x01"},                                          // field number 0
        {3, "\x12\x01\xff"},                                      // not UTF-8
        {3, "\x32\x7f\x00"},                                      // longer than the message
        {1, "\x3c"},                                              // the end of no group
        {1, "\x3f"},                                              // wire type 7
        {4, "\x22\x02\x0a\x05"},                                  // the same, within a submessage
        {5, "\x22\x03\x0a\x01\xc0"},                              //
        {2, "\x2a\x80"},                                          // a length without end
        {3, "\x2a\x01\x80"}, // a packed list that ends in a varint
    };
    size_t i = p2e_bulk_below(random, sizeof(faults) / sizeof(faults[0]));

    memcpy(message->data + message->size, faults[i].bytes, faults[i].size);
    message->size += faults[i].size;
    message->fate = P2E_FLOOD_MALFORMED;
}

static bool make_message(struct p2e_bulk_random *random, struct message *message)
{
    static uint8_t payload[MAX_PAYLOAD];
    static char source[] = "sensor/17", note[] = "Grüße";
    Bulk__Detail detail = BULK__DETAIL__INIT;
    Bulk__Event event = BULK__EVENT__INIT;
    uint32_t codes[MAX_CODES] = {1, 300, 70000, 4, 5, 6, 7, 8, 9};
    unsigned kind = p2e_bulk_below(random, 100);

    detail.note = note;
    event.sequence = UINT64_MAX; // any but 0, which would not be sent
    event.source = source;
    event.level = (int32_t)p2e_bulk_below(random, 21) - 10;
    event.detail = &detail;
    event.codes = codes;
    event.n_codes = p2e_bulk_below(random, MAX_CODES);
    event.payload = (ProtobufCBinaryData){random_payload(random), payload};
    if (kind < 30)
        break_rule(random, &event);

    message->data = malloc(bulk__event__get_packed_size(&event) + 16);
    if (!message->data)
        return false;
    message->size = bulk__event__pack(&event, message->data);
    message->fate = p2e_flood_judge(&event);
    if (kind >= 80)
        damage(random, message);
    return true;
}

static bool refused(void)
{
    return errno == ECONNREFUSED || errno == ENOENT;
}

static int send_one(struct flood *flood, const struct message *message)
{
    uint64_t sequence = (flood->sender << P2E_FLOOD_SENDER_SHIFT) + flood->sent + 1;

    memcpy(message->data + 1, &sequence, sizeof(sequence));
    if (sendto(flood->fd, message->data, message->size, 0, &flood->address.any,
               p2e_flood_address_size(&flood->address)) < 0)
        return -1;
    flood->fates[flood->sent++] = message->fate;
    return 0;
}

// The sign for the server to bind: the flood is there.
static void tell_started(void)
{
    puts("started");
    fflush(stdout);
}

static int send_all(struct flood *flood)
{
    time_t deadline = time(NULL) + MAX_SECONDS;
    size_t refused_at = 0; // what had been sent when a message was refused last
    size_t refusals = 0;

    while (flood->sent - refused_at < flood->count && flood->sent < MAX_TOTAL) {
        const struct message *message = &flood->pool[p2e_bulk_below(&flood->random, POOL)];

        if (flood->sent + refusals == HEAD_START)
            tell_started();
        if (send_one(flood, message) == 0)
            continue;
        if (!refused() || time(NULL) > deadline) {
            perror("flood_send");
            return -1;
        }
        refused_at = flood->sent;
        refusals++;
    }
    printf("sent=%zu refusals=%zu\n", flood->sent, refusals);
    return 0;
}

static int write_fates(const struct flood *flood, const char *path)
{
    FILE *file = fopen(path, "we");

    if (!file)
        return -1;
    fwrite(flood->fates, 1, flood->sent, file);
    return fclose(file);
}

// UDP tells of a refusal only to a connected socket; it may still name the address with each
// message.
static int open_socket(const union p2e_flood_address *address)
{
    int fd = socket(address->any.sa_family, SOCK_DGRAM, 0);

    if (fd >= 0 && address->any.sa_family == AF_INET &&
        connect(fd, &address->any, p2e_flood_address_size(address)) < 0)
        return -1;
    return fd;
}

int main(int argc, char **argv)
{
    static struct flood flood;

    if (argc != 6) {
        fputs("usage: flood_send ADDRESS SENDER COUNT SEED FATES\n", stderr);
        return 2;
    }
    flood.address = p2e_flood_address(argv[1]);
    flood.sender = strtoull(argv[2], NULL, 10);
    flood.count = strtoul(argv[3], NULL, 10);
    flood.random.state = strtoull(argv[4], NULL, 10) * 2 + 1;
    flood.fates = malloc(MAX_TOTAL);
    flood.fd = open_socket(&flood.address);
    bool ok = flood.fates && flood.fd >= 0;
    for (size_t i = 0; ok && i < POOL; i++)
        ok = make_message(&flood.random, &flood.pool[i]);
    if (!ok || send_all(&flood) < 0 || write_fates(&flood, argv[5]) < 0) {
        perror("flood_send");
        return 1;
    }
    return 0;
}
