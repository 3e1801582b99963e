// One line a change on standard error, and no fault twice in a row.
#ifndef P2E_AGENT_REMARK_H
#define P2E_AGENT_REMARK_H

#include <stdbool.h>
#include <stddef.h>

// The faults that were told of and stand, each of a subject.
struct p2e_remarks {
    struct p2e_remark *list;
    size_t count;
};

// Prints "p2e agent: TEXT".
void p2e_remark_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Says it, unless this fault of the subject stands already. Of a text of several lines the first is
// printed.
void p2e_remark_fault(struct p2e_remarks *remarks, const char *subject, const char *text);
// There is no fault of the subject any more: was there one?
bool p2e_remark_clear(struct p2e_remarks *remarks, const char *subject);

void p2e_remarks_free(struct p2e_remarks *remarks);

#endif
