// Prints what socket, bind, setsockopt, accept and errno do, call by call, for sockets that p2e has
// nothing to do with and (argument 1: a UDP port) for one that it has. With the shim and without it
// the text must be the same.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define UNTOUCHED 4242 // no errno of anything

static void show(const char *what, int result)
{
    printf("%s: %d, errno %d\n", what, result, errno);
    errno = UNTOUCHED;
}

static int opened(const char *what, int domain, int type, int protocol)
{
    int fd = socket(domain, type, protocol);

    show(what, fd);
    return fd;
}

static void bind_in(const char *what, int fd, int port)
{
    struct sockaddr_in address = {AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {0}};

    show(what, bind(fd, (struct sockaddr *)&address, sizeof(address)));
}

static void streams(void)
{
    int fd = opened("stream", AF_INET, SOCK_STREAM, 0);
    socklen_t length = 0;

    bind_in("bind stream", fd, 0);
    bind_in("bind stream again", fd, 0);
    show("listen", listen(fd, 1));
    fcntl(fd, F_SETFL, O_NONBLOCK); // musl accepts where the kernel knows no such flag
    show("accept nothing", accept4(fd, NULL, NULL, 1 << 30));
    show("accept on no socket", accept(0, NULL, &length));
    show("setsockopt", setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)));
    show("setsockopt, unknown", setsockopt(fd, SOL_SOCKET, 9999, &(int){1}, sizeof(int)));
    close(fd);
}

static void datagrams(int port)
{
    struct sockaddr_un path = {AF_UNIX, "/nonexistent/p2e/socket"};
    int fd = opened("datagram", AF_INET, SOCK_DGRAM, 0);
    int other = opened("another", AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
    int local = opened("unix", AF_UNIX, SOCK_DGRAM, 0);

    bind_in("bind", fd, port);
    bind_in("bind again", fd, port);
    bind_in("bind another to the same", other, port);
    bind_in("bind to any port", other, 0);
    show("bind to no folder", bind(local, (struct sockaddr *)&path, sizeof(path)));
    show("bind to no address", bind(local, NULL, 0));
    show("bind to half an address", bind(local, (struct sockaddr *)&path, 1));
    show("setsockopt", setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &(int){1}, sizeof(int)));
    show("UDP_GRO off", setsockopt(fd, IPPROTO_UDP, 104, &(int){0}, sizeof(int)));
    show("UDP_GRO, short", setsockopt(fd, IPPROTO_UDP, 104, &(int){1}, 1));
    show("UDP_GRO, no value", setsockopt(fd, IPPROTO_UDP, 104, NULL, 4));
    close(local);
    close(other);
    close(fd);
}

// ---- Pointers to nothing ------------------------------------------------------------------------
#define NOWHERE ((void *)16)

// The first byte behind a page, where there is nothing.
static char *end_of_memory(void)
{
    long page = sysconf(_SC_PAGESIZE);
    char *pages =
        mmap(NULL, 2 * (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (pages == MAP_FAILED || munmap(pages + page, (size_t)page))
        exit(2);
    return pages + page;
}

static void bad_addresses(void)
{
    struct sockaddr_in address = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
    sa_family_t family = AF_UNIX;
    int fd = opened("datagram", AF_INET, SOCK_DGRAM, 0),
        local = opened("unix", AF_UNIX, SOCK_DGRAM, 0);
    char *end = end_of_memory();

    show("bind to nowhere", bind(fd, NOWHERE, sizeof(address)));
    show("bind to too much of it", bind(fd, NOWHERE, 1000));
    show("bind to none of it", bind(fd, NOWHERE, 0));
    show("bind a unix socket to nowhere", bind(local, NOWHERE, sizeof(struct sockaddr_un)));
    memcpy(end - 8, &address, 8);
    show("bind to half there", bind(fd, (void *)(end - 8), sizeof(address)));
    memcpy(end - sizeof(address), &address, sizeof(address));
    show("bind to just there", bind(fd, (void *)(end - sizeof(address)), sizeof(address)));
    memcpy(end - sizeof(family), &family, sizeof(family));
    show("bind to any name", bind(local, (void *)(end - sizeof(family)), sizeof(family)));
    close(local);
    close(fd);
}

static void bad_values(void)
{
    int fd = opened("datagram", AF_INET, SOCK_DGRAM, 0);
    int listener = opened("stream", AF_INET, SOCK_STREAM, 0);
    struct sockaddr_storage address;

    show("UDP_GRO, nowhere", setsockopt(fd, IPPROTO_UDP, 104, NOWHERE, 4));
    show("UDP_GRO, nothing", setsockopt(-1, IPPROTO_UDP, 104, NOWHERE, 4));
    show("listen", listen(listener, 1));
    fcntl(listener, F_SETFL, O_NONBLOCK);
    show("accept, nowhere", accept(listener, (void *)&address, NOWHERE));
    show("accept on nothing, nowhere", accept(-1, (void *)&address, NOWHERE));
    show("accept, not looked at", accept(listener, NULL, NOWHERE));
    close(listener);
    close(fd);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    errno = UNTOUCHED;
    show("bind nothing", bind(-1, NULL, 0));
    show("setsockopt nothing", setsockopt(-1, 0, 0, NULL, 0));
    opened("no such family", 9999, SOCK_DGRAM, 0);
    opened("no such type", AF_INET, 77, 0);
    streams();
    datagrams(atoi(argv[1]));
    bad_addresses();
    bad_values();
    show("the next descriptor", dup(0));
    printf("LIVE %s\n", getenv("P2E_LIVE") ? "set" : "unset");
    return 0;
}
