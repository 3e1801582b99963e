// Each test of the config has an empty folder of its own, and is in it.
#ifndef P2E_TESTS_CONFIG_FIXTURE_H
#define P2E_TESTS_CONFIG_FIXTURE_H

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config.h"

static inline int fixture_remove_one(const char *path, const struct stat *st, int flag,
                                     struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

struct fixture {
    char folder[32];
    int start; // where the test program was before
};

static inline int fixture_enter(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (!f)
        return -1;
    *state = f;
    f->start = open(".", O_PATH | O_CLOEXEC);
    strcpy(f->folder, "/tmp/p2e-test-XXXXXX");
    return f->start >= 0 && mkdtemp(f->folder) ? chdir(f->folder) : -1;
}

static inline int fixture_leave(void **state)
{
    struct fixture *f = *state;
    int result = fchdir(f->start);
    if (nftw(f->folder, fixture_remove_one, 8, FTW_DEPTH | FTW_PHYS))
        result = -1;
    close(f->start);
    free(f);
    return result;
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, fixture_enter, fixture_leave)

static inline void put_bytes(const char *path, const char *bytes, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline void put(const char *path, const char *text)
{
    put_bytes(path, text, strlen(text));
}

static inline void load(const char *path, struct p2e_config *config)
{
    struct p2e_error err = {0};
    if (p2e_config_load(path, config, &err) < 0)
        fail_msg("%s", err.text);
}

static inline void load_text(const char *text, struct p2e_config *config)
{
    put("p2e.conf", text);
    load("p2e.conf", config);
}

// A failed load leaves nothing behind and says exactly this.
static inline void assert_refused(const char *path, const char *sentence)
{
    struct p2e_config config;
    struct p2e_error err = {0};
    memset(&config, 0xff, sizeof(config));
    if (p2e_config_load(path, &config, &err) != -1)
        fail_msg("accepted; expected: %s", sentence);
    assert_string_equal(err.text, sentence);
    const struct p2e_config empty = {0};
    assert_memory_equal(&config, &empty, sizeof(config));
}

#endif
