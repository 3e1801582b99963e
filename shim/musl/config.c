// There is no libconfig for musl: the library goes by what is published, and by nothing else.
#include "loader/handover.h"
#include "loader/published.h"
#include "shim/shim.h"

int p2e_file_config(struct p2e_config *config, struct p2e_error *err)
{
    *config = (struct p2e_config){0};
    if (p2e_no_config_file())
        return p2e_error_set(err,
                             "nothing is published: no table in P2E_PIN_DIR (else %s), no agent "
                             "at P2E_AGENT_SOCKET (else %s); run p2e load or p2e agent where the "
                             "config is, and mount one of the two here",
                             P2E_DEFAULT_PIN_DIR, P2E_DEFAULT_AGENT_SOCKET);
    return p2e_error_set(err,
                         "libp2e.so for musl cannot read the config file %s; publish it where p2e "
                         "is (p2e load, or p2e agent), and leave it out here: unset P2E_CONFIG, "
                         "and have no %s",
                         p2e_config_find(), P2E_CONFIG_DEFAULT_PATH);
}

int p2e_file_program(const struct p2e_config *config, const struct p2e_filter *filter, int *program,
                     struct p2e_error *err)
{
    *program = -1;
    return p2e_published_program(config->pin_dir, filter, program, err);
}
