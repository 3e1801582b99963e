#include "shim/shim.h"

int p2e_endpoint_filter(enum p2e_transport transport, const struct sockaddr *address,
                        socklen_t length, const struct p2e_filter **filter, struct p2e_error *err)
{
    const struct p2e_shim *shim = p2e_shim();

    *filter = NULL;
    if (!shim->has_config) {
        *err = shim->config_error;
        return -1;
    }
    return p2e_config_match(&shim->config, transport, address, length, shim->program, filter, err);
}
