// What the tests of loader/ and shim/ call: each verb is one function of loader.h. Prints what came
// out, or the error and exits 1.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "compiler/object.h"
#include "loader/loader.h"

static struct p2e_error err;
static struct p2e_config config;

static int fail(void)
{
    printf("error: %s\n", err.text);
    return 1;
}

static const struct p2e_filter *find(char **args)
{
    if (p2e_config_load(args[0], &config, &err))
        return NULL;
    return p2e_config_filter(&config, args[1]);
}

static int build(char **args)
{
    return p2e_object_build(args[0], args[1], &err) ? fail() : 0;
}

static int canonical(char **args)
{
    const struct p2e_filter *filter = find(args);

    if (!filter)
        return fail();
    char *text = p2e_filter_canonical(filter);
    fputs(text, stdout);
    free(text);
    return 0;
}

static void judge(int program, const char *message)
{
    int pair[2];
    char buffer[64];

    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) ||
        setsockopt(pair[1], SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof(program)))
        exit((perror("attach"), 1));
    send(pair[0], message, strlen(message), 0);
    printf("%s %s\n", message,
           recv(pair[1], buffer, sizeof(buffer), MSG_DONTWAIT) < 0 ? "drop" : "pass");
}

// The filter has to be a UNIX one for its verdicts to be asked here.
static int program(char **args)
{
    static const char *const origins[] = {"pin", "pinned", "unpinned"};
    const struct p2e_filter *filter = find(args);
    enum p2e_origin origin;
    int fd;

    if (!filter || p2e_filter_program(&config, filter, &fd, &origin, &err))
        return fail();
    puts(origins[origin]);
    for (char **message = args + 2; *message; message++)
        judge(fd, *message);
    close(fd);
    return 0;
}

static int load(char **args)
{
    _cleanup_(p2e_object_close) struct p2e_object object = {0};
    _cleanup_(p2e_handles_close) struct p2e_handles handles = P2E_NO_HANDLES;
    const struct p2e_description *d = &object.description;
    struct p2e_options options;

    p2e_options_for(P2E_UNIXGRAM, P2E_ENFORCE, &options);
    if (p2e_object_open(args[0], &object, &err) ||
        p2e_object_load(&object, &options, args[1], &handles, &err))
        return fail();
    printf("%s %s %s %u %s %s %s\n", d->name, d->message, d->digest, d->rule_count, d->rule_ids[0],
           d->rule_expressions[0], d->rule_messages[0]);
    return 0;
}

// Loads the object and has it pinned by one of the functions that do.
static int load_and(char **args,
                    int (*pin)(const char *pin_dir, const char *name,
                               const struct p2e_handles *handles, struct p2e_error *err))
{
    _cleanup_(p2e_object_close) struct p2e_object object = {0};
    _cleanup_(p2e_handles_close) struct p2e_handles handles = P2E_NO_HANDLES;
    struct p2e_options options;

    p2e_options_for(P2E_UNIXGRAM, P2E_ENFORCE, &options);
    if (p2e_object_open(args[2], &object, &err) ||
        p2e_object_load(&object, &options, NULL, &handles, &err))
        return fail();
    if (!pin(args[0], args[1], &handles, &err))
        return 0;
    printf("%s: ", strerrorname_np(errno));
    return fail();
}

static int create(char **args)
{
    return load_and(args, p2e_pins_create);
}

static int replace(char **args)
{
    return load_and(args, p2e_pins_replace);
}

static int recover(char **args)
{
    struct p2e_recovery done;

    if (p2e_pins_recover(args[0], &done, &err))
        return fail();
    printf("removed %zu finished %zu refilled %zu refused %zu\n", done.removed, done.finished,
           done.refilled, done.refused);
    if (done.refused)
        puts(err.text);
    return 0;
}

static int counters(char **args)
{
    struct p2e_handles handles;
    struct p2e_description description;
    uint64_t values[P2E_COUNT_RULES + 1];
    int found = p2e_pins_open(args[0], args[1], &handles, &description, &err);

    if (found < 0 || (found && p2e_counters_read(handles.state, 1, values, &err)))
        return fail();
    if (!found)
        return puts("none"), 0;
    printf("passed %zu malformed %zu rule %zu\n", (size_t)values[P2E_COUNT_PASSED],
           (size_t)values[P2E_COUNT_MALFORMED], (size_t)values[P2E_COUNT_RULES]);
    p2e_handles_close(&handles);
    p2e_description_free(&description);
    return 0;
}

static int remove_pins(char **args)
{
    return p2e_pins_remove(args[0], args[1], &err) ? fail() : 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(char **);
    } verbs[] = {{"build", build},   {"canonical", canonical}, {"program", program},
                 {"load", load},     {"counters", counters},   {"remove", remove_pins},
                 {"create", create}, {"replace", replace},     {"recover", recover}};

    for (size_t i = 0; argc > 2 && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(argv[1], verbs[i].name))
            continue;
        int status = verbs[i].run(argv + 2);
        p2e_config_free(&config);
        return status;
    }
    return 2;
}
