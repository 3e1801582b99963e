// What the benchmark's server and sender share: addresses, a board of counts, CPU time.
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define RECEIVE_BUFFER (16 << 20)
#define VALID_BYTE     0x0a // valid messages begin with field 1, a string; no other does

// In a file that both map: the sender goes on when it sees that there is room.
struct board {
    volatile uint64_t received, accepted;
};

// Each ends the program on failure.
struct board *board_open(const char *path);
// "@name" is a UNIX socket in the abstract name space, a number a UDP port on 127.0.0.1.
int socket_for(const char *text, struct sockaddr_storage *address, socklen_t *size);

// Attaches the cheapest filter there could be: it looks at one byte, VALID_BYTE or not. -1 and
// errno on failure.
int attach_byte_filter(int fd, uint32_t offset);

double process_cpu_us(void); // user and system

#endif
