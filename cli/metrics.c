#include <stdio.h>

#include "agent/metrics.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "cli/common.h"
#include "cli/options.h"

static int print(const struct p2e_config *config, const char *path, struct p2e_error *err)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer text = {0};
    if (p2e_metrics_print(config, NULL, &text, err) < 0)
        return -1;
    if (path)
        return p2e_file_write(path, text.data, text.size, err);
    fwrite(text.data, 1, text.size, stdout);
    return 0;
}

static int run(const struct p2e_command *command, int argc, char **argv)
{
    const char *path = NULL, *output = NULL;
    struct p2e_error err;
    const struct p2e_option options[] = {
        {.name = "config", .letter = 'c', .value = &path},
        {.name = "output", .letter = 'o', .value = &output},
        {0},
    };
    int status = p2e_parse_options(command, argc, argv, options, NULL);
    if (status >= 0)
        return status;
    _cleanup_(p2e_config_free) struct p2e_config config = {0};
    if (p2e_read_config(path, &config, &err) < 0 || print(&config, output, &err) < 0)
        return p2e_fail(command, &err);
    return P2E_EXIT_OK;
}

const struct p2e_command p2e_metrics_command = {
    .name = "metrics",
    .usage = "[-c FILE] [-o FILE]",
    .summary = "print what the filters count, for Prometheus",
    .help =
        "Prints the metrics of all filters once, in Prometheus' text form, as for the textfile\n"
        "collector of its node exporter. `p2e agent --metrics` serves the same over HTTP. "
        "Counters are\n"
        "for root; others see which filters are up.\n\n"
        "  -c, --config FILE    the configuration ($P2E_CONFIG, else /etc/p2e/p2e.conf)\n"
        "  -o, --output FILE    write to FILE, which is replaced in one step\n"
        "      --help           this text\n",
    .run = run,
};
