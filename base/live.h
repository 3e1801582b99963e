// How `p2e run` knows that the library lives in the process that it starts.
//
// It makes a pipe, keeps the reading end, and leaves the writing end open across exec with
//
//     P2E_LIVE=<descriptor>:<inode of the pipe>
//
// in the environment. The library's constructor removes the variable, checks that the descriptor
// still is that pipe, writes one line (P2E_LIVE_FORMAT: ABI, process id) and closes it. End of
// file, or no line within a few seconds, means that the library was not loaded: the process must
// not go on unfiltered.
#ifndef P2E_BASE_LIVE_H
#define P2E_BASE_LIVE_H

#define P2E_LIVE_VARIABLE "P2E_LIVE"
#define P2E_LIVE_FORMAT   "p2e %u %d\n"

#endif
