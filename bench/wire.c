#include "bench/wire.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

struct board *board_open(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *board = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || board == MAP_FAILED)
        exit((perror(path), 1));
    close(fd);
    return board;
}

static socklen_t unix_address(const char *name, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    size_t size = strlen(name) + 1;
    if (size > sizeof(address->sun_path))
        exit((fprintf(stderr, "%s: too long\n", name), 2));
    memcpy(address->sun_path + 1, name, size - 1);
    return (socklen_t)(sizeof(sa_family_t) + size);
}

int socket_for(const char *text, struct sockaddr_storage *address, socklen_t *size)
{
    *address = (struct sockaddr_storage){0};
    if (text[0] == '@') {
        *size = unix_address(text + 1, (struct sockaddr_un *)address);
    } else {
        *(struct sockaddr_in *)address =
            (struct sockaddr_in){.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)atoi(text)),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        *size = sizeof(struct sockaddr_in);
    }
    int fd = socket(address->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        exit((perror("socket"), 1));
    return fd;
}

static double microseconds(struct timeval time)
{
    return (double)time.tv_sec * 1e6 + (double)time.tv_usec;
}

double process_cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
}

int attach_byte_filter(int fd, uint32_t offset)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offset),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, VALID_BYTE, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, ~0u),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = {.len = 4, .filter = code};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}
