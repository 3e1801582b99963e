#include <stdio.h>

#include "agent/build.h"
#include "base/cleanup.h"
#include "cli/common.h"
#include "cli/json.h"
#include "cli/options.h"

#define VERIFIER_LOG "/tmp/p2e-verifier.log"

struct settings {
    const char *config;
    bool json;
};

// What became of one filter: `verified` once the kernel has taken its program.
struct finding {
    bool failed, verified;
    struct p2e_error err;
};

static int verify(const struct p2e_filter *filter, const struct p2e_object *object,
                  struct p2e_error *err)
{
    struct p2e_options options;
    struct p2e_handles handles;
    p2e_options_for(filter->transport, filter->mode, &options);
    if (p2e_object_load(object, &options, VERIFIER_LOG, &handles, err) < 0)
        return -1;
    p2e_handles_close(&handles);
    return 0;
}

static void check_filter(const struct p2e_config *config, const struct p2e_filter *filter,
                         struct finding *finding)
{
    struct p2e_object object;
    *finding = (struct finding){.failed = true};
    if (p2e_build_open(config->object_dir, filter, &object, &finding->err) < 0)
        return;
    finding->failed = false;
    if (!p2e_missing_capabilities()) {
        finding->failed = verify(filter, &object, &finding->err) < 0;
        finding->verified = !finding->failed;
    }
    p2e_object_close(&object);
}

static void print_text(const struct p2e_filter *filter, const struct finding *finding)
{
    if (finding->failed)
        fprintf(stderr, "p2e check: %s\n", finding->err.text);
    else if (finding->verified)
        printf("%s: ok, %zu rules, the kernel takes it\n", filter->name, filter->rule_count);
    else
        printf("%s: ok, %zu rules (the kernel was not asked: that needs %s)\n", filter->name,
               filter->rule_count, p2e_missing_capabilities());
}

static void print_json(size_t index, const struct p2e_filter *filter, const struct finding *finding)
{
    p2e_json_row(index);
    printf("{");
    p2e_json_text("filter", filter->name, true);
    printf(",\"ok\":%s,\"verified\":%s", finding->failed ? "false" : "true",
           finding->verified ? "true" : "false");
    if (finding->failed)
        p2e_json_text("error", finding->err.text, false);
    printf("}");
}

static int check_all(const struct settings *s, const struct p2e_config *config)
{
    int status = P2E_EXIT_OK;
    for (size_t i = 0; i < config->filter_count; i++) {
        struct finding finding;
        check_filter(config, &config->filters[i], &finding);
        if (finding.failed)
            status = P2E_EXIT_FAILED;
        if (s->json)
            print_json(i, &config->filters[i], &finding);
        else
            print_text(&config->filters[i], &finding);
    }
    if (s->json)
        p2e_json_end(config->filter_count);
    return status;
}

static int run(const struct p2e_command *command, int argc, char **argv)
{
    struct settings s = {0};
    struct p2e_error err;
    const struct p2e_option options[] = {
        {.name = "config", .letter = 'c', .value = &s.config},
        {.name = "json", .flag = &s.json},
        {0},
    };
    int status = p2e_parse_options(command, argc, argv, options, NULL);
    if (status >= 0)
        return status;
    _cleanup_(p2e_config_free) struct p2e_config config = {0};
    if (p2e_read_config(s.config, &config, &err) < 0)
        return p2e_fail(command, &err);
    return check_all(&s, &config);
}

const struct p2e_command p2e_check_command = {
    .name = "check",
    .usage = "[-c FILE] [--json]",
    .summary = "check the configuration, its rules and their programs",
    .help =
        "Does everything short of loading, for every filter: reads the configuration and the "
        "schemas,\n"
        "checks the rules, compiles them; and asks the kernel's verifier, where the privilege "
        "to do so\n"
        "(CAP_BPF and CAP_PERFMON) is there. Nothing is left behind.\n\n"
        "  -c, --config FILE    the configuration ($P2E_CONFIG, else /etc/p2e/p2e.conf)\n"
        "      --json           print as JSON: [{\"filter\", \"ok\", \"verified\", \"error\"}, …]\n"
        "      --help           this text\n\n"
        "Exits with 1 if anything is wrong.\n",
    .run = run,
};
