// The agent's loop: who is called when, and lists that change under it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/loop.h"

#define PIPES 3

struct scene {
    struct p2e_loop loop;
    int reading[PIPES], writing[PIPES];
    int calls[PIPES]; // of each pipe's callback
    int removes;      // which pipe a callback takes out of the loop, -1 for none
    int adds;         // or puts into it
    int ends_after;   // calls in all
};

static int index_of(const struct scene *s, int fd)
{
    for (int i = 0; i < PIPES; i++) {
        if (s->reading[i] == fd)
            return i;
    }
    return -1;
}

static void on_ready(void *context, int fd, short events)
{
    struct scene *s = context;
    char byte;
    int i = index_of(s, fd), sum = 0;
    assert_true(i >= 0 && events & (POLLIN | POLLHUP));
    if (events & POLLIN)
        assert_int_equal(read(fd, &byte, 1), 1);
    s->calls[i]++;
    if (s->removes >= 0)
        p2e_loop_remove(&s->loop, s->reading[s->removes]);
    if (s->adds >= 0)
        assert_int_equal(p2e_loop_add(&s->loop, s->reading[s->adds], POLLIN, on_ready, s, NULL), 0);
    s->removes = s->adds = -1;
    for (int j = 0; j < PIPES; j++)
        sum += s->calls[j];
    if (sum >= s->ends_after)
        p2e_loop_end(&s->loop);
}

static int set_up(void **state)
{
    static struct scene scene;
    scene = (struct scene){.removes = -1, .adds = -1};
    for (int i = 0; i < PIPES; i++) {
        int ends[2];
        if (pipe(ends))
            return -1;
        scene.reading[i] = ends[0];
        scene.writing[i] = ends[1];
    }
    *state = &scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    p2e_loop_free(&s->loop);
    for (int i = 0; i < PIPES; i++) {
        close(s->reading[i]);
        close(s->writing[i]);
    }
    return 0;
}

static void add(struct scene *s, int i)
{
    assert_int_equal(p2e_loop_add(&s->loop, s->reading[i], POLLIN, on_ready, s, NULL), 0);
}

static void fill(const struct scene *s, int i)
{
    assert_int_equal(write(s->writing[i], "x", 1), 1);
}

static void run(struct scene *s, int calls)
{
    s->ends_after = calls;
    alarm(10); // only a broken loop meets it
    assert_int_equal(p2e_loop_run(&s->loop, NULL), 0);
    alarm(0);
}

static void calls_each_that_is_ready(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < PIPES; i++)
        add(s, i);
    fill(s, 0);
    fill(s, 2);
    run(s, 2);
    assert_int_equal(s->calls[0], 1);
    assert_int_equal(s->calls[1], 0);
    assert_int_equal(s->calls[2], 1);
}

static void calls_again_while_it_is_ready(void **state)
{
    struct scene *s = *state;
    add(s, 1);
    fill(s, 1);
    fill(s, 1);
    run(s, 2);
    assert_int_equal(s->calls[1], 2);
}

static void calls_none_that_was_removed_in_the_same_round(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < PIPES; i++)
        add(s, i);
    for (int i = 0; i < PIPES; i++)
        fill(s, i);
    s->removes = 1;
    run(s, 2);
    assert_int_equal(s->calls[0], 1);
    assert_int_equal(s->calls[1], 0);
    assert_int_equal(s->calls[2], 1);
}

static void a_callback_may_remove_itself(void **state)
{
    struct scene *s = *state;
    add(s, 0);
    add(s, 1);
    fill(s, 0);
    fill(s, 0);
    fill(s, 1);
    s->removes = 0;
    run(s, 2);
    assert_int_equal(s->calls[0], 1);
    assert_int_equal(s->calls[1], 1);
}

static void a_callback_may_add(void **state)
{
    struct scene *s = *state;
    add(s, 0);
    fill(s, 0);
    fill(s, 2);
    s->adds = 2;
    run(s, 2);
    assert_int_equal(s->calls[2], 1);
}

static void tells_of_the_other_end_that_is_gone(void **state)
{
    struct scene *s = *state;
    add(s, 1);
    close(s->writing[1]);
    run(s, 1);
    s->writing[1] = dup(s->reading[1]);
    assert_int_equal(s->calls[1], 1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(calls_each_that_is_ready),
        CASE(calls_again_while_it_is_ready),
        CASE(calls_none_that_was_removed_in_the_same_round),
        CASE(a_callback_may_remove_itself),
        CASE(a_callback_may_add),
        CASE(tells_of_the_other_end_that_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
