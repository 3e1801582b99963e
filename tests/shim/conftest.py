"""What the shim's tests share."""

import pytest
from first_byte import Site
from serving import udp_ports


@pytest.fixture
def port():
    return udp_ports()


@pytest.fixture
def site(port):
    """One filter, for one UDP port."""
    site = Site(first={"transport": "udp", "port": port}).compile()
    yield site
    site.close()
