"""Examples in docs/: what they hold can be read, and says what the text around it says."""

import re

import pytest
import yaml
from first_byte import ROOT
from p2e import Home

DOCS = ROOT / "docs"


def blocks(language):
    for page in sorted(DOCS.glob("*.md")):
        for i, text in enumerate(re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.M | re.S)):
            yield pytest.param(page.name, text, id=f"{page.stem}-{i}")


def documents(page):
    (text,) = [param.values[1] for param in blocks("yaml") if param.values[0] == page]
    return list(yaml.safe_load_all(text))


@pytest.mark.parametrize("page,text", blocks("yaml"))
def test_yaml_is_well_formed(page, text):
    """Without a key that stands twice, which YAML forbids and PyYAML lets pass."""

    class Strict(yaml.SafeLoader):
        pass

    def mapping(loader, node):
        pairs = loader.construct_pairs(node, deep=True)
        assert len(pairs) == len(dict(pairs)), page
        return dict(pairs)

    Strict.add_constructor("tag:yaml.org,2002:map", mapping)
    assert all(yaml.load_all(text, Strict))


def pod():
    _, deployment = documents("kubernetes.md")
    return deployment["spec"]["template"]["spec"]


def test_volumes_of_the_pod():
    spec = pod()
    names = {volume["name"] for volume in spec["volumes"]}
    mounted = {
        mount["name"] for each in spec["initContainers"] + spec["containers"] for mount in each["volumeMounts"]
    }
    assert mounted == names


def test_only_the_agent_has_capabilities():
    spec = pod()
    for each in spec["initContainers"] + spec["containers"]:
        security = each["securityContext"]
        is_agent = each["name"] == "p2e-agent"
        assert security["capabilities"].get("add") == (["BPF", "PERFMON", "DAC_OVERRIDE"] if is_agent else None)
        assert security["capabilities"]["drop"] == ["ALL"]
        assert security["runAsUser"] == (0 if is_agent else 65534)
        assert not security["allowPrivilegeEscalation"] and security["seccompProfile"]
        writable = [m for m in each["volumeMounts"] if m["name"] == "bpffs" and not m.get("readOnly")]
        assert bool(writable) == is_agent


def test_services_of_compose():
    (compose,) = documents("compose.md")
    services = compose["services"]
    assert {name for name in services if services[name].get("cap_add")} == {"p2e-agent"}
    assert all(service["cap_drop"] == ["ALL"] for service in services.values())
    assert set(services["application"]["depends_on"]) == {"p2e-library", "p2e-agent"}
    assert "/sys/fs/bpf:/sys/fs/bpf:ro" in services["application"]["volumes"]
    named = {volume.split(":")[0] for service in services.values() for volume in service["volumes"]}
    assert {name for name in named if name[0] not in "./"} == set(compose["volumes"])


def test_configuration_of_the_pod_is_one():
    """Its rules compile against its schema."""
    data = documents("kubernetes.md")[0]["data"]
    home = Home()
    try:
        for name, text in data.items():
            home.write(name, text.replace("/sys/fs/bpf/search", str(home.pin_dir)))
        home.ok("compile", "-o", home.objects)
    finally:
        home.close()


def test_image_has_what_the_examples_take_from_it():
    dockerfile = (ROOT / "Dockerfile").read_text()
    for path in ("/usr/bin/p2e", "/usr/lib/libp2e.so", "/usr/lib/p2e/musl/libp2e.so"):
        assert f" /image{path} " in dockerfile
    targets = re.findall(r"^FROM .* AS (\w+)$", dockerfile, re.M)
    assert "compiler" in targets


def containers():
    """(image, arguments, environment) of all in both examples."""
    (compose,) = documents("compose.md")
    for each in compose["services"].values():
        yield each["image"], each.get("command", []), each.get("environment", {})
    for each in pod()["initContainers"] + pod()["containers"]:
        yield each["image"], each.get("args", []), {e["name"]: e["value"] for e in each.get("env", [])}


def test_images_are_those_of_the_dockerfile():
    """But for the applications'."""
    named = set(re.findall(r"docker build -t (\S+)", (ROOT / "Dockerfile").read_text()))
    used = {image for image, _, _ in containers()}
    assert used - named == {"debian:bookworm-slim", "search"} and named == {"p2e", "p2e-compiler"}


def test_commands_and_options_are_p2es():
    commands = [arguments for image, arguments, _ in containers() if image == "p2e-compiler"]
    assert len(commands) == 2
    home = Home()
    try:
        for verb, *arguments in commands:
            told = home.ok(verb, "--help")
            for option in arguments[::2]:
                assert re.search(rf"^ .*{option}\b", told, re.M), option
    finally:
        home.close()


def test_variables_are_the_librarys():
    sources = "".join(path.read_text() for room in ("shim", "config") for path in ROOT.glob(f"{room}/*.[ch]"))
    names = {name for _, _, environment in containers() for name in environment}
    assert "LD_PRELOAD" in names
    for name in names - {"LD_PRELOAD"}:
        assert f'"{name}"' in sources


def test_application_looks_where_the_agent_of_the_pod_pins():
    (environment,) = [each for image, _, each in containers() if image == "search"]
    conf = documents("kubernetes.md")[0]["data"]["p2e.conf"]
    assert f'pin_dir = "{environment["P2E_PIN_DIR"]}";' in conf


@pytest.mark.parametrize("page", ["install.md", "compose.md", "kubernetes.md", "metrics.md"])
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#:]+)\)", (DOCS / page).read_text()):
        assert (DOCS / link).exists(), link
