// Times: google.protobuf.Timestamp and Duration as CEL sees them.
//
// Source: the CEL specification, "Timestamps and Durations"; RFC 3339 for a timestamp's text. Where
// implementations differ, docs/decisions.md says what holds here.
#ifndef P2E_COMPILER_CEL_TIME_H
#define P2E_COMPILER_CEL_TIME_H

#include "compiler/arena.h"
#include "compiler/cel.h"

bool p2e_cel_is_time(enum p2e_cel_kind kind);
// TIMESTAMP or DURATION where the message is one of the two, else MESSAGE.
enum p2e_cel_kind p2e_cel_time_kind(const struct p2e_message *message);

// ---- Texts: false for what not every implementation reads or writes alike -----------------------
bool p2e_cel_parse_timestamp(const struct p2e_cel_value *text, struct p2e_cel_value *to);
bool p2e_cel_parse_duration(const struct p2e_cel_value *text, struct p2e_cel_value *to);
bool p2e_cel_print_time(const struct p2e_cel_expr *time, char *text, size_t size);
// "UTC", "+02:00": the seconds that local time is ahead of UTC. False: a named time zone.
bool p2e_cel_parse_zone(const struct p2e_cel_value *text, int64_t *ahead);

// ---- Constants ----------------------------------------------------------------------------------
int p2e_cel_compare_times(const struct p2e_cel_value *a, const struct p2e_cel_value *b);
bool p2e_cel_timestamp_at(int64_t seconds, struct p2e_cel_value *to);
// An ADD or SUBTRACT of two constants, as a value of type `kind`. False when it is out of range.
bool p2e_cel_compute_time(enum p2e_cel_op op, enum p2e_cel_kind kind, const struct p2e_cel_value *a,
                          const struct p2e_cel_value *b, struct p2e_cel_value *to);
// What a GET_… gives of a constant.
int64_t p2e_cel_time_part(const struct p2e_cel_expr *get);

#endif
