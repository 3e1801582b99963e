"""Where the oracle is known to be wrong, each place with its reason; docs/decisions.md has those about bytes."""

import dataclasses


@dataclasses.dataclass
class Message:
    """A mutated message, what the oracle says of it, and what the kernel says."""

    type: str
    wire: bytes
    expected: str  # pass, rule, malformed, refused, unknown
    why: str  # deviations of the oracle's parser, the rules that do not hold, the error
    actual: str = ""  # pass, rule, malformed, refused


def trailing_dot(message):
    """A hostname may have 253 characters and a dot at its end; the oracle counts the dot."""
    return message.expected == "rule" and message.actual == "pass" \
        and message.why.split(" ")[-1].endswith("hostname") and b"." in message.wire[-1:] \
        and len(message.wire) > 254


def host_with_dot(verdict, text):
    """The same, of a string whose verdict is the oracle's, with a port or without."""
    host = text.rsplit(b":", 1)[0]
    return verdict == "invalid" and len(host) == 254 and host.endswith(b".")


DOCUMENTED = [trailing_dot]

# Cases that the oracle judges otherwise than the suite says.
SUITE = {
    "compilation/incorrect_type": "a wrong type is found when the rule is evaluated",
    "compilation/missing_field": "an unknown field is found when the rule is evaluated",
    "valid/name_253_characters_plus_trailing_dot": trailing_dot.__doc__,
}
