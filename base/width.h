// How many columns of a terminal a character takes.
#ifndef P2E_BASE_WIDTH_H
#define P2E_BASE_WIDTH_H

#include <stdint.h>

// 0 for what is put onto the character before, as combining marks are; 2 for East Asian wide ones;
// else 1. By tables, for a library has no locale of its own to ask.
int p2e_width(uint32_t code);

#endif
