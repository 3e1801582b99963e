"""A parser of CEL that keeps spans: what is needed to find the literals of an expression."""

import dataclasses
import re

TOKEN = re.compile(r"""
    (?P<space>(?:\s|//[^\n]*)+)
  | (?P<string>(?:[rR][bB]?|[bB][rR]?)?(?:'{3}|"{3}|'|"))
  | (?P<number>0[xX][0-9a-fA-F]+[uU]?|(?:\d+\.\d+|\.\d+|\d+(?=[eE]))(?:[eE][+-]?\d+)?|\d+[uU]?)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<quoted>`[^`]*`)
  | (?P<symbol>==|!=|<=|>=|&&|\|\||[-+*/%<>!?:.,()\[\]{}])
""", re.VERBOSE | re.ASCII)
ESCAPES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11,
           "\\": 92, "?": 63, '"': 34, "'": 39, "`": 96}
ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\?\"'`])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2}))")
LEVELS = [("||",), ("&&",), ("==", "!=", "<", "<=", ">", ">=", "in"), ("+", "-"), ("*", "/", "%")]


class SyntaxTrouble(Exception):
    """The expression is not CEL, or this parser does not know it."""


@dataclasses.dataclass
class Node:
    """kind: literal, name, select, index, call, list, map, message, unary, binary, conditional.

    `value` is a literal's (type, value), or the name, the field, the function, the operator. Children of
    a call: the target, if it has one, then the arguments; of a map: keys and values in turn; of a message:
    the values, whose fields are in `fields`.
    """

    kind: str
    start: int
    end: int
    value: object = None
    children: list = dataclasses.field(default_factory=list)
    fields: list = dataclasses.field(default_factory=list)
    method: bool = False


# ---- Tokens ----------------------------------------------------------------------------------------
def read_string(text, start, opening):
    """(value, end) of the string literal whose prefix and quotes are `opening`."""
    prefix, quotes = re.fullmatch(r"(\w*)(\W+)", opening).groups()
    raw, is_bytes = "r" in prefix.lower(), "b" in prefix.lower()
    at, parts = start + len(opening), []
    while not text.startswith(quotes, at):
        if at >= len(text):
            raise SyntaxTrouble("a string without end")
        size = 1
        if text[at] == "\\":
            size = 2 if raw else read_escape(text, at, is_bytes, parts)
        if text[at] != "\\" or raw:
            parts.append(text[at:at + size].encode())
        at += size
    value = b"".join(parts)
    return ("bytes", value) if is_bytes else ("string", value.decode()), at + len(quotes)


def read_escape(text, at, is_bytes, parts):
    """Appends what the escape stands for; how long it is."""
    match = ESCAPE.match(text, at)
    if not match:
        raise SyntaxTrouble("an unknown escape")
    simple, hexadecimal, short, long, octal = match.groups()
    code = ESCAPES[simple] if simple else int(octal, 8) if octal else int(hexadecimal or short or long, 16)
    parts.append(bytes([code]) if is_bytes else chr(code).encode())
    return len(match.group())


def read_number(text):
    kind = "uint" if text[-1] in "uU" else "int"
    digits = text.rstrip("uU")
    if digits[:2].lower() == "0x":
        return kind, int(digits, 16)
    if not digits.isdigit():
        return "double", float(digits)
    return kind, int(digits)


def tokens(text):
    """(kind, value, start, end) of each token; string and number tokens carry a (type, value)."""
    found, at = [], 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            raise SyntaxTrouble(f"no token at {text[at:at + 10]!r}")
        kind, value, end = match.lastgroup, match.group(), match.end()
        if kind == "string":
            value, end = read_string(text, at, value)
        elif kind == "number":
            value = read_number(value)
        if kind != "space":
            found.append((kind, value, at, end))
        at = end
    return found + [("end", None, at, at)]


# ---- Grammar ---------------------------------------------------------------------------------------
class Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text):
        self.tokens = tokens(text)
        self.at = 0

    def peek(self, *symbols):
        kind, value, _, _ = self.tokens[self.at]
        return kind in ("symbol", "name") and value in symbols

    def take(self):
        self.at += 1
        return self.tokens[self.at - 1]

    def accept(self, *symbols):
        return self.take() if self.peek(*symbols) else None

    def expect(self, symbol):
        if not self.peek(symbol):
            raise SyntaxTrouble(f"no {symbol} but {self.tokens[self.at][1]!r}")
        return self.take()

    def end(self):
        return self.tokens[self.at - 1][3]

    def whole(self):
        node = self.conditional()
        if self.tokens[self.at][0] != "end":
            raise SyntaxTrouble(f"{self.tokens[self.at][1]!r} after the expression")
        return node

    def conditional(self):
        node = self.binary(0)
        if not self.accept("?"):
            return node
        yes = self.binary(0)
        self.expect(":")
        no = self.conditional()
        return Node("conditional", node.start, no.end, children=[node, yes, no])

    def binary(self, level):
        if level == len(LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        while token := self.accept(*LEVELS[level]):
            right = self.binary(level + 1)
            left = Node("binary", left.start, right.end, token[1], [left, right])
        return left

    def unary(self):
        token = self.accept("!", "-")
        if not token:
            return self.member()
        before = self.at
        operand = self.unary()
        if token[1] == "-" and self.at == before + 1 and operand.kind == "literal" \
                and operand.value[0] in ("int", "double"):
            kind, value = operand.value
            return Node("literal", token[2], operand.end, (kind, -value))
        return Node("unary", token[2], operand.end, token[1], [operand])

    def member(self):
        node = self.primary()
        while token := self.accept(".", "[", "{"):
            if token[1] == ".":
                node = self.selection(node)
            elif token[1] == "[":
                key = self.conditional()
                self.expect("]")
                node = Node("index", node.start, self.end(), children=[node, key])
            else:
                node = self.message(node)
        return node

    def selection(self, node):
        _, name, _, end = self.take()
        if not self.accept("("):
            return Node("select", node.start, end, name.strip("`"), [node])
        arguments = self.arguments(")")
        return Node("call", node.start, self.end(), name, [node, *arguments], method=True)

    def arguments(self, closing):
        found = []
        while not self.accept(closing):
            found.append(self.conditional())
            if not self.peek(closing):
                self.expect(",")
        return found

    def message(self, name):
        fields, values = [], []
        while not self.accept("}"):
            fields.append(self.take()[1].strip("`"))
            self.expect(":")
            values.append(self.conditional())
            if not self.peek("}"):
                self.expect(",")
        return Node("message", name.start, self.end(), dotted(name), values, fields)

    def map(self, start):
        children = []
        while not self.accept("}"):
            children.append(self.conditional())
            self.expect(":")
            children.append(self.conditional())
            if not self.peek("}"):
                self.expect(",")
        return Node("map", start, self.end(), children=children)

    def primary(self):
        kind, value, start, end = self.take()
        if kind in ("string", "number"):
            return Node("literal", start, end, value)
        if kind == "name" and value in ("true", "false", "null"):
            return Node("literal", start, end, ("null", None) if value == "null" else ("bool", value == "true"))
        if kind == "name":
            return self.named(value, start, end)
        if value == "(":
            inner = self.conditional()
            self.expect(")")
            return dataclasses.replace(inner, start=start, end=self.end())
        if value == "[":
            children = self.arguments("]")
            return Node("list", start, self.end(), children=children)
        if value == "{":
            return self.map(start)
        if value == ".":
            _, name, _, end = self.take()
            return self.named("." + name, start, end)
        raise SyntaxTrouble(f"unexpected {value!r}")

    def named(self, name, start, end):
        if not self.accept("("):
            return Node("name", start, end, name)
        arguments = self.arguments(")")
        return Node("call", start, self.end(), name, arguments)


def dotted(node):
    """The dotted name that a chain of selections spells, or None."""
    if node.kind == "name":
        return node.value
    if node.kind == "select":
        before = dotted(node.children[0])
        return before and f"{before}.{node.value}"
    return None


def parse(text):
    return Parser(text).whole()
