// A server of musl's: server STYLE ADDRESS, as servers/server.py. ADDRESS is a UDP port of
// 127.0.0.1, a path, "@name", or a descriptor. It says "ready" once it is bound (or why it is not),
// prints what it receives, a message a line, and ends at "end".
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void say(const char *text)
{
    dprintf(STDOUT_FILENO, "%s\n", text);
}

// ---- Messages -----------------------------------------------------------------------------------
// Python reads UTF-8.
static void show(const unsigned char *message, size_t size)
{
    char line[4096];
    size_t length = 0;

    for (size_t i = 0; i < size && length < sizeof(line) - 3; i++) {
        if (message[i] >= 0x80)
            line[length++] = (char)(0xc0 | message[i] >> 6);
        line[length++] = (char)(message[i] >= 0x80 ? 0x80 | (message[i] & 0x3f) : message[i]);
    }
    line[length] = '\0';
    say(line);
}

// False at the end, and when the other side has gone.
static bool receive(int fd, bool connected)
{
    unsigned char message[2000];
    ssize_t size = recv(fd, message, sizeof(message), 0);

    if (size < 0 || (connected && !size) || (size == 3 && !memcmp(message, "end", 3)))
        return false;
    show(message, (size_t)size);
    return true;
}

// ---- Sockets ------------------------------------------------------------------------------------
static int bind_inet(int fd, int port)
{
    struct sockaddr_in address = {AF_INET, htons((uint16_t)port), {htonl(INADDR_LOOPBACK)}, {0}};

    return bind(fd, (struct sockaddr *)&address, sizeof(address));
}

static int bind_unix(int fd, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);

    memcpy(address.sun_path, name, length);
    if (*name == '@')
        address.sun_path[0] = '\0';
    return bind(fd, (struct sockaddr *)&address,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
}

static int bound(const char *address, int type)
{
    bool inet = address[strspn(address, "0123456789")] == '\0';
    int fd = socket(inet ? AF_INET : AF_UNIX, type, 0);

    if (inet ? bind_inet(fd, atoi(address)) : bind_unix(fd, address)) {
        say(errno == EACCES ? "bind: EACCES" : strerror(errno));
        exit(1);
    }
    return fd;
}

// ---- Styles -------------------------------------------------------------------------------------
static void serve(int fd)
{
    say("ready");
    while (receive(fd, false))
        continue;
}

// Lets the kernel choose the port.
static void serve_late(void)
{
    struct sockaddr_in address;
    socklen_t length = sizeof(address);
    int fd = bound("0", SOCK_DGRAM);

    getsockname(fd, (struct sockaddr *)&address, &length);
    dprintf(STDOUT_FILENO, "ready %d\n", ntohs(address.sin_port));
    while (receive(fd, false))
        continue;
}

static void serve_connection(const char *address)
{
    int listener = bound(address, SOCK_SEQPACKET), connection;

    listen(listener, 16);
    say("ready");
    connection = accept(listener, NULL, NULL);
    say(connection < 0 ? strerror(errno) : "accepted");
    while (receive(connection, true))
        continue;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    if (!strcmp(argv[1], "plain"))
        serve(bound(argv[2], SOCK_DGRAM));
    else if (!strcmp(argv[1], "late"))
        serve_late();
    else if (!strcmp(argv[1], "sequenced"))
        serve_connection(argv[2]);
    else if (!strcmp(argv[1], "inherited"))
        serve(atoi(argv[2]));
    return 0;
}
