"""The dashboard asks for what is exported, by labels that it has."""

import json
import re

from first_byte import ROOT

DASHBOARD = json.loads((ROOT / "contrib/grafana/p2e.json").read_text())
SOURCE = (ROOT / "agent/metrics.c").read_text()
EXPORTED = set(re.findall(r'"(p2e_[a-z_]+)[{"]', SOURCE))
LABELS = {"filter", "verdict", "rule", "result", "job"}


def queries():
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


def test_metrics_are_exported_and_all_are_shown():
    asked = {name for query in queries() for name in re.findall(r"\bp2e_\w+", query)}
    assert asked == EXPORTED and len(EXPORTED) == 6


def test_labels_are_there():
    for query in queries():
        for name in re.findall(r"(\w+)(?:=~|!=|=)\"", query):
            assert name in LABELS, query
        for names in re.findall(r"by \(([^)]*)\)", query):
            assert set(names.split(", ")) <= LABELS, query


def test_panels_are_told_apart():
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
    names = [variable["name"] for variable in DASHBOARD["templating"]["list"]]
    used = set(re.findall(r"\$(?!__)\{?(\w+)", json.dumps(DASHBOARD)))
    assert used == set(names)
