// What the Unicode Character Database says of classes of characters and of case, as tables that
// unicode.sh makes.
#ifndef P2E_COMPILER_UNICODE_H
#define P2E_COMPILER_UNICODE_H

#include <stddef.h>
#include <stdint.h>

#define P2E_UNICODE_LAST 0x10ffff

struct p2e_unicode_range {
    uint32_t first, last;
};

struct p2e_unicode_group {
    const char *name; // first, for p2e_nearest
    const struct p2e_unicode_range *ranges;
    size_t count;
};

// General categories ("Lu") and scripts ("Greek"); ranges ascend and do not touch.
extern const struct p2e_unicode_group p2e_unicode_categories[];
extern const size_t p2e_unicode_category_count;
extern const struct p2e_unicode_group p2e_unicode_scripts[];
extern const size_t p2e_unicode_script_count;

// Characters that are equal but for case (simple folding), each with the next one like it; the
// last one leads back to the first. Ordered by code.
struct p2e_unicode_fold {
    uint32_t code, next;
};

extern const struct p2e_unicode_fold p2e_unicode_folds[];
extern const size_t p2e_unicode_fold_count;

#endif
