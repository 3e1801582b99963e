// A datagram server that knows nothing of p2e, with its client in the same process:
//
//     loopback PORT|PATH|@NAME < MESSAGES
//
// Binds to a UDP port of 127.0.0.1 or to a UNIX address, sends there what MESSAGES has, a message
// in hex a line, and prints in hex what arrives. Ends when the last message has arrived, and fails
// when it does not.
#include <arpa/inet.h>
#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"

#define MESSAGE_MAX 65536
#define PATIENCE    20 // seconds without a message; only a broken run meets it

struct message {
    uint8_t bytes[MESSAGE_MAX];
    ssize_t size;
};

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_un un;
    };
    socklen_t length;
};

static struct address parse_address(const char *text)
{
    struct address address = {0};

    if (isdigit((unsigned char)text[0])) {
        address.in.sin_family = AF_INET;
        address.in.sin_port = htons((uint16_t)atoi(text));
        address.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.length = sizeof(address.in);
        return address;
    }
    address.un.sun_family = AF_UNIX;
    strncpy(address.un.sun_path, text, sizeof(address.un.sun_path) - 1);
    if (text[0] == '@')
        address.un.sun_path[0] = '\0';
    address.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(text));
    return address;
}

static int bind_server(const struct address *address)
{
    struct timeval patience = {.tv_sec = PATIENCE};
    int fd = socket(address->any.sa_family, SOCK_DGRAM, 0);

    if (fd < 0 || bind(fd, &address->any, address->length) ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
        return -1;
    return fd;
}

static int connect_client(const struct address *address)
{
    int fd = socket(address->any.sa_family, SOCK_DGRAM, 0);

    return fd < 0 || connect(fd, &address->any, address->length) ? -1 : fd;
}

// The next line of standard input; false at the end.
static bool read_message(struct message *message)
{
    _cleanup_free_ char *line = NULL;
    size_t capacity = 0;

    if (getline(&line, &capacity, stdin) < 0)
        return false;
    message->size = 0;
    while (message->size < MESSAGE_MAX &&
           sscanf(line + message->size * 2, "%2hhx", &message->bytes[message->size]) == 1)
        message->size++;
    return true;
}

static bool receive(int server, struct message *message, int flags)
{
    message->size = recv(server, message->bytes, sizeof(message->bytes), flags);
    for (ssize_t i = 0; i < message->size; i++)
        printf("%02x", message->bytes[i]);
    if (message->size >= 0)
        putchar('\n');
    return message->size >= 0;
}

static bool same(const struct message *a, const struct message *b)
{
    return a->size == b->size && !memcmp(a->bytes, b->bytes, (size_t)a->size);
}

// A UNIX socket queues but a few messages: each is sent and looked for in turn.
static int exchange(int server, int client)
{
    static struct message sent, received;

    received.size = -1;
    while (read_message(&sent)) {
        if (send(client, sent.bytes, (size_t)sent.size, 0) < 0)
            return -1;
        receive(server, &received, MSG_DONTWAIT);
    }
    while (!same(&received, &sent)) {
        if (!receive(server, &received, 0))
            return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: loopback PORT|PATH|@NAME < MESSAGES\n", stderr);
        return 2;
    }
    struct address address = parse_address(argv[1]);
    _cleanup_fd_ int server = bind_server(&address);
    _cleanup_fd_ int client = server < 0 ? -1 : connect_client(&address);

    if (client < 0 || exchange(server, client) < 0) {
        perror("loopback");
        return 1;
    }
    return 0;
}
