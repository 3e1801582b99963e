"""A machine with the images that the Dockerfile makes, and one with an unmodified server."""

import concurrent.futures
import os
import pathlib
import shutil
import tempfile

import engine
import pytest

# Debian's collectd: its pinba plugin receives bare protobuf messages by UDP.
APPLICATION = """
FROM docker.io/library/debian:bookworm-slim
RUN apt-get update -q && apt-get install -y -q --no-install-recommends collectd-core libprotobuf-c1
COPY collectd.conf /etc/collectd/collectd.conf
CMD [ "collectd", "-f" ]
"""
COLLECTD_CONF = """
Hostname "host"
FQDNLookup false
Interval 0.1
BaseDir "/tmp"
PIDFile "/tmp/collectd.pid"
LoadPlugin csv
LoadPlugin pinba
<Plugin csv>
  DataDir "/tmp/csv"
  StoreRates false
</Plugin>
<Plugin pinba>
  Address "127.0.0.1"
  Port "8053"
%s
</Plugin>
"""
# What the server's messages are told apart by.
KINDS = ("good", "failed", "slow", "bad", "end")


def make_images(machine, folder):
    """The server's is made meanwhile."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        application = pool.submit(make_application, machine, folder)
        machine.build("--layers", "--target", "compiler", "-t", "p2e-compiler", ".")
        machine.build("--layers", "-t", "p2e", ".")
        application.result()


def make_application(machine, folder):
    views = "\n".join(f'<View "{kind}">\nServer "{kind}"\n</View>' for kind in KINDS)
    (folder / "collectd.conf").write_text(COLLECTD_CONF % views)
    (folder / "Dockerfile").write_text(APPLICATION)
    machine.build("-t", "application", ".", cwd=folder)


@pytest.fixture(scope="session")
def machine():
    reason = engine.missing()
    if reason and os.environ.get("P2E_REQUIRE") == "1":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="p2e-container-", dir="/var/tmp"))
    folder.chmod(0o755)
    (folder / "application").mkdir()
    try:
        with engine.machine(folder) as it:
            make_images(it, folder / "application")
            yield it
    finally:
        shutil.rmtree(folder)
