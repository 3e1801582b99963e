// The names that processes are known by.
#ifndef P2E_BASE_PROGRAM_H
#define P2E_BASE_PROGRAM_H

// The base name of an executable, of the text that /proc/PID/exe links to. One that was replaced
// since (an upgrade) is known by its old name: what the kernel adds to it is cut off. The result
// points into `link`.
const char *p2e_program_name(char *link);

#endif
