// What the tests of loader/ and shim/ call: each verb is one function of the loader's. Prints what
// came out, or the error and exits 1.
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "compiler/object.h"
#include "loader/handover.h"
#include "loader/pins.h"
#include "loader/published.h"
#include "loader/sys.h"

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

// ---- The published table ------------------------------------------------------------------------
static int publish(char **args)
{
    if (p2e_config_load(args[0], &config, &err) || p2e_published_write(&config, &err))
        return fail();
    return 0;
}

static int published(char **args)
{
    int found = p2e_published_read(args[0], &config, &err);

    if (found < 0)
        return fail();
    if (!found)
        return puts("none"), 0;
    for (size_t i = 0; i < config.filter_count; i++)
        printf("%s %s\n", p2e_transport_name(config.filters[i].transport), config.filters[i].name);
    return 0;
}

// Publishes the bytes of a file, whatever they are, from a map of this name.
static int forge(char **args)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer bytes = {0};
    union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .max_entries = 1};
    int map;

    if (p2e_file_read(args[1], P2E_PUBLISHED_MAX, &bytes, &err))
        return fail();
    attr.value_size = (uint32_t)bytes.size;
    snprintf(attr.map_name, sizeof(attr.map_name), "%s", args[2]);
    map = p2e_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
    if (map < 0 || p2e_bpf_map_update(map, 0, bytes.data) || p2e_bpf_pin(args[0], map))
        return perror("forge"), 1;
    return 0;
}

static int table_bytes(char **args)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer bytes = {0};

    if (p2e_config_load(args[0], &config, &err) || p2e_published_encode(&config, &bytes, &err))
        return fail();
    return fwrite(bytes.data, bytes.size, 1, stdout) != 1;
}

// Tries to write over what is pinned.
static int overwrite(char **args)
{
    _cleanup_free_ char *zeros = calloc(1, P2E_PUBLISHED_MAX);
    _cleanup_fd_ int map = p2e_bpf_open(args[0], false);

    if (map < 0)
        return perror(args[0]), 1;
    puts(p2e_bpf_map_update(map, 0, zeros) ? strerrorname_np(errno) : "written");
    return 0;
}

// Holds the lock until its standard input ends.
static int hold_lock(char **args)
{
    _cleanup_(p2e_pins_unlock) int lock = p2e_pins_lock(args[0], &err);

    if (lock < 0)
        return fail();
    puts("locked");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    return 0;
}

// ---- The hand-over ------------------------------------------------------------------------------
// An agent: hands over what is in a pin folder, until its standard input ends.
static int handover(char **args)
{
    struct p2e_handover handover;
    struct pollfd wait[2] = {{.events = POLLIN}, {STDIN_FILENO, POLLIN, 0}};

    if (p2e_handover_open(args[0], &handover, &err))
        return fail();
    puts("listening");
    fflush(stdout);
    wait[0].fd = handover.ready;
    while (poll(wait, 2, 60000) > 0 && !wait[1].revents)
        p2e_handover_serve(&handover, args[1]);
    p2e_handover_close(&handover);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(char **);
    } verbs[] = {{"build", build},         {"canonical", canonical}, {"program", program},
                 {"load", load},           {"counters", counters},   {"remove", remove_pins},
                 {"create", create},       {"publish", publish},     {"published", published},
                 {"forge", forge},         {"bytes", table_bytes},   {"lock", hold_lock},
                 {"overwrite", overwrite}, {"handover", handover},   {"replace", replace},
                 {"recover", recover}};

    for (size_t i = 0; argc > 2 && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(argv[1], verbs[i].name))
            continue;
        int status = verbs[i].run(argv + 2);
        p2e_config_free(&config);
        return status;
    }
    return 2;
}
