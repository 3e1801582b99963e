"""Prometheus' text form 0.0.4, read strictly: whatever is not in the form's description is an error."""

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\d+)")
HELP = re.compile(rf"# HELP ({NAME}) ((?:[^\\\n]|\\\\|\\n)+)")
TYPE = re.compile(rf"# TYPE ({NAME}) (counter|gauge)")
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def unescape(value):
    return re.sub(r"\\.", lambda match: ESCAPES[match[0]], value)


class Exposition:
    """`types` and `samples`, by name; a sample is its labels and its value."""

    def __init__(self, data):
        self.types, self.samples, self.current = {}, {}, None
        text = data.decode("utf-8", "strict")
        assert text.endswith("\n") and "\r" not in text
        lines = iter(text[:-1].split("\n"))
        for line in lines:
            if line.startswith("#"):
                self.begin(line, next(lines))
            else:
                self.sample(line)

    def begin(self, first, second):
        """HELP, then TYPE; each metric's lines stand together."""
        helped, typed = HELP.fullmatch(first), TYPE.fullmatch(second)
        assert helped and typed and helped[1] == typed[1], (first, second)
        self.current = typed[1]
        assert self.current not in self.types
        assert self.current.endswith("_total") == (typed[2] == "counter")
        self.types[self.current] = typed[2]
        self.samples[self.current] = []

    def sample(self, line):
        match = SAMPLE.fullmatch(line)
        assert match and match[1] == self.current, line
        pairs = [(name, unescape(value)) for name, value in re.findall(LABEL, match[2] or "")]
        labels = dict(pairs)
        assert len(labels) == len(pairs), line
        assert labels not in [other for other, _ in self.samples[self.current]], line
        self.samples[self.current].append((labels, int(match[match.lastindex])))

    def values(self, name, key, **given):
        """The values of a metric by one label, where the given labels are so."""
        return {
            labels[key]: value
            for labels, value in self.samples[name]
            if given.items() <= labels.items()
        }
