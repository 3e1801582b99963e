"""bpf/distinct.h in the kernel: distinct.bpf.c, driven by scripts of operations."""

import ctypes
import itertools
import os
import random
import struct
import subprocess

import pytest
from judge import BUILD, HERE, ROOT

NOTHING, BEGIN, NEW_SET, SCALAR, TEXT, BITS, SET_BITS, CLAIM, WHERE = range(9)
NEW, KNOWN, FULL = range(3)

MAX = 28000           # P2E_DISTINCT_MAX
STATES = 32           # P2E_STATES_SHARED
OPERATIONS = 65536    # SCRIPT_OPERATIONS
HEADER = 17 * 8       # of struct script

# ---- libbpf --------------------------------------------------------------------------------------------
libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
for function, result in {"bpf_object__open_file": ctypes.c_void_p, "bpf_object__next_map": ctypes.c_void_p,
                         "bpf_object__find_map_by_name": ctypes.c_void_p,
                         "bpf_object__find_program_by_name": ctypes.c_void_p}.items():
    getattr(libbpf, function).restype = result


class RunOptions(ctypes.Structure):
    """struct bpf_test_run_opts"""
    _fields_ = [("sz", ctypes.c_size_t), ("data_in", ctypes.c_char_p), ("data_out", ctypes.c_void_p),
                ("data_size_in", ctypes.c_uint32), ("data_size_out", ctypes.c_uint32),
                ("ctx_in", ctypes.c_void_p), ("ctx_out", ctypes.c_void_p),
                ("ctx_size_in", ctypes.c_uint32), ("ctx_size_out", ctypes.c_uint32),
                ("retval", ctypes.c_uint32), ("repeat", ctypes.c_int), ("duration", ctypes.c_uint32)]


class Table:
    """The program in the kernel."""

    def __init__(self, elf):
        self.object = ctypes.c_void_p(libbpf.bpf_object__open_file(str(elf).encode(), None))
        options = struct.pack("<5I", 0, STATES, 0, 0, 0)
        assert libbpf.bpf_map__set_initial_value(self.map(".rodata.options"), options, len(options)) == 0
        for name in ("p2e_state", "p2e_distinct"):
            assert libbpf.bpf_map__set_max_entries(self.map(name), STATES) == 0
        assert libbpf.bpf_object__load(self.object) == 0
        program = libbpf.bpf_object__find_program_by_name(self.object, b"p2e_run")
        self.program = libbpf.bpf_program__fd(ctypes.c_void_p(program))
        self.duration = 0

    def close(self):
        libbpf.bpf_object__close(self.object)

    def map(self, name):
        return ctypes.c_void_p(libbpf.bpf_object__find_map_by_name(self.object, name.encode()))

    def write(self, name, index, value):
        fd, key = libbpf.bpf_map__fd(self.map(name)), ctypes.c_uint32(index)
        assert libbpf.bpf_map_update_elem(fd, ctypes.byref(key), value, ctypes.c_uint64(0)) == 0

    def read(self, name, index):
        value = ctypes.create_string_buffer(libbpf.bpf_map__value_size(self.map(name)))
        fd, key = libbpf.bpf_map__fd(self.map(name)), ctypes.c_uint32(index)
        assert libbpf.bpf_map_lookup_elem(fd, ctypes.byref(key), value) == 0
        return value.raw

    def fill_buffer(self, texts):
        """What texts are positions in, in all states."""
        size = libbpf.bpf_map__value_size(self.map("p2e_state"))
        (buffer,) = self.run([(WHERE, 0, 0)])
        for index in range(STATES):
            self.write("p2e_state", index, (bytes(buffer) + texts).ljust(size, b"\0"))

    def run(self, operations):
        """The results of up to 65,536 operations: (kind, set, argument)."""
        packed = b"".join(struct.pack("<IIQQ", *operation, 0) for operation in operations)
        assert len(operations) <= OPERATIONS
        script = bytes(8) + self.read("p2e_script", 0)[8:HEADER]
        self.write("p2e_script", 0, script + packed.ljust(OPERATIONS * 24, b"\0"))
        packet = bytes(64)
        test = RunOptions(ctypes.sizeof(RunOptions), packet, None, len(packet), repeat=len(operations))
        assert libbpf.bpf_prog_test_run_opts(self.program, ctypes.byref(test)) == 0
        assert test.retval == 1
        self.duration = test.duration
        done = self.read("p2e_script", 0)[HEADER:HEADER + len(packed)]
        return [result for _, _, _, result in struct.iter_unpack("<IIQQ", done)]

    def begin(self, *sets):
        """A message begins, with these sets."""
        self.run([(BEGIN, 0, 0), *((NEW_SET, each, 0) for each in sets)])

    def scalars(self, keys, set=0):
        return self.run([(SCALAR, set, key) for key in keys])

    def texts(self, texts, set=0):
        """texts: (position, size)"""
        return self.run([(TEXT, set, size << 32 | pos) for pos, size in texts])


@pytest.fixture(scope="module")
def elf():
    out = BUILD / "tests" / "bpf" / "distinct.bpf.o"
    out.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["clang", "-target", "bpf", "-mcpu=v3", "-O2", "-g", "-nostdinc", "-Wall", "-Werror",
                    f"-I{ROOT}", "-c", HERE / "distinct.bpf.c", "-o", out], check=True)
    return out


@pytest.fixture
def table(elf):
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})  # it begins at its CPU's own state: one for all runs
    table = Table(elf)
    yield table
    table.close()
    os.sched_setaffinity(0, allowed)


# ---- Scalars -------------------------------------------------------------------------------------------
def random_words(seed, count):
    numbers = random.Random(seed)
    return [numbers.getrandbits(64) for _ in range(count)]


def test_new_then_known(table):
    table.begin(0)
    keys = [0, 1, 2**63, 2**64 - 1, 2**32, 0xFFFF, *random_words(1, 1000)]
    assert table.scalars(keys) == [NEW] * len(keys)
    assert table.scalars(reversed(keys)) == [KNOWN] * len(keys)


def test_what_a_dictionary_says(table):
    numbers = random.Random(2)
    keys = [numbers.randrange(8000) * 2**numbers.choice([0, 17, 48]) for _ in range(30000)]
    seen = set()
    wanted = [KNOWN if key in seen else seen.add(key) or NEW for key in keys]
    table.begin(0)
    assert table.scalars(keys) == wanted


KEYS = {
    "counting": range(MAX),
    "equal low bits": [i << 49 for i in range(MAX)],
    "equal low half": [i << 32 | 12345 for i in range(MAX)],
    "equal high bits": [2**64 - 1 - i for i in range(MAX)],
    "strides": [i * 32768 for i in range(MAX)],
    "doubles": [struct.unpack("<Q", struct.pack("<d", i))[0] for i in range(MAX)],
    "bits": [1 << a ^ 1 << b ^ 1 << c for a, b, c in itertools.combinations(range(64), 3)][:MAX],
    "random": random_words(3, MAX),
}


@pytest.mark.parametrize("name", KEYS)
def test_as_many_as_fit(table, name):
    """No pattern of keys makes long ways: a way that is too long would be FULL."""
    keys = list(KEYS[name])
    for _ in range(3):
        table.begin(0)
        results = table.scalars(keys)
        assert results == [NEW] * len(keys)
        print(name, table.duration, "ns an insertion")
    assert table.scalars(keys) == [KNOWN] * len(keys)
    if len(keys) == MAX:
        assert table.scalars([77 << 40 | 7]) == [FULL]
        assert table.scalars(keys[:1]) == [KNOWN]


def test_cost_of_a_run(table):
    table.run([(NOTHING, 0, 0)] * 20000)
    print(table.duration, "ns without an operation")


def test_hash_is_another_one_for_each_message(table):
    """Where a key is cannot be learned from where it was."""
    places, firsts, seconds = set(), set(), set()
    for _ in range(20):
        table.begin(0)
        table.scalars([42])
        places.add(used(table).index(True))
        first, second = seeds(content(table))
        firsts.add(first)
        seconds.add(second)
    assert len(places) > 15 and len(firsts) == len(seconds) == 20


def content(table):
    """The struct p2e_distinct_table of the state that runs here get."""
    return table.read("p2e_distinct", min(os.sched_getaffinity(0)) * 4 % STATES)


def used(table):
    """Which entries are of this message."""
    value = content(table)
    first = struct.unpack_from("<Q", value, 8)[0]
    return [tag >> 16 >= first for _, tag in struct.iter_unpack("<QQ", value[40:])]


# ---- Sets ----------------------------------------------------------------------------------------------
def test_sets_know_nothing_of_each_other(table):
    table.begin(0, 1)
    keys = list(range(5000))
    assert table.scalars(keys, 0) == [NEW] * 5000
    assert table.scalars(keys, 1) == [NEW] * 5000
    assert table.scalars(keys, 0) == table.scalars(keys, 1) == [KNOWN] * 5000


def test_a_message_forgets_the_one_before(table):
    generations = set()
    for _ in range(50):
        generations.update(table.run([(BEGIN, 0, 0), (NEW_SET, 0, 0)])[1:])
        keys = list(range(2000))
        assert table.scalars(keys) == [NEW] * 2000
        assert table.scalars(keys) == [KNOWN] * 2000
    assert len(generations) == 50


def test_sets_of_one_message_share_the_room(table):
    table.begin(0, 1)
    assert table.scalars(range(MAX - 1), 0) == [NEW] * (MAX - 1)
    assert table.scalars([1, 2, 1], 1) == [NEW, FULL, KNOWN]
    table.begin(0)
    assert table.scalars([2]) == [NEW]


@pytest.mark.parametrize("kind, keys", [(SCALAR, [1, 2, 3, 1, 4]),
                                        (TEXT, [size << 32 for size in (0, 2, 9, 0, 3)])])
def test_many_small_sets(table, kind, keys):
    """The same keys in each: were they in the same places, ways would be too long."""
    script = [(BEGIN, 0, 0)]
    for _ in range(MAX // 4):
        script += [(NEW_SET, 3, 0), *((kind, 3, key) for key in keys)]
    results = table.run(script)[1:]
    assert [r for i, r in enumerate(results) if i % 6] == [NEW, NEW, NEW, KNOWN, NEW] * (MAX // 4)


# ---- Bits ----------------------------------------------------------------------------------------------
def test_bits_are_of_the_key_looked_up_last(table):
    table.begin(0, 1)
    keys = range(1000)
    for key in keys:
        assert table.run([(SCALAR, 0, key), (BITS, 0, 0), (SET_BITS, 0, 0x50000 + key)])[:2] == [NEW, 0]
    for key in keys:
        assert table.run([(SCALAR, 0, key), (BITS, 0, 0)]) == [KNOWN, key]
    assert table.run([(SCALAR, 1, 5), (BITS, 0, 0)]) == [NEW, 0]
    assert table.run([(SCALAR, 0, 5), (SET_BITS, 0, 0xFFFF), (SCALAR, 0, 5), (BITS, 0, 0)]) \
        == [KNOWN, 0, KNOWN, 0xFFFF]
    assert table.run([(SET_BITS, 0, 0xF0), (BITS, 0, 0)]) == [0, 0xF0]


# ---- Texts ---------------------------------------------------------------------------------------------
def test_texts_of_each_size(table):
    """Each twice, at other positions with other bytes around them; and prefixes of each other."""
    text = bytes(random.Random(4).randbytes(300))
    buffer, rows = bytearray(), []
    for size in range(301):
        for stale in (b"\x00" * 9, b"\xff" * 9):
            rows.append((len(buffer), size))
            buffer += text[:size] + stale
    table.fill_buffer(bytes(buffer))
    table.begin(0)
    assert table.texts(rows) == [NEW, KNOWN] * 301


@pytest.mark.parametrize("size", [1, 7, 8, 9, 64, 511, 512, 513, 520, 1023, 1024, 3000, 32760])
def test_one_bit_tells_texts_apart(table, size):
    text = bytearray(random.Random(size).randbytes(size))
    flipped = sorted({*range(min(size * 8, 70)), *range(size * 8 - 70, size * 8)} & {*range(size * 8)})
    for bit in [None, *flipped[::1 if size < 600 else 13]]:
        other = bytearray(text)
        if bit is not None:
            other[bit // 8] ^= 1 << bit % 8
        table.fill_buffer(bytes(text + other))
        table.begin(0)
        assert table.texts([(0, size), (size, size)]) == [NEW, KNOWN if bit is None else NEW], bit


def test_the_longest_text(table):
    text = random.Random(5).randbytes(65535)
    table.fill_buffer(text + b"x" + text)
    table.begin(0)
    assert table.texts([(0, 65535), (65536, 65535), (65535, 65535), (0, 65534), (0, 65000), (65536, 65000)]) \
        == [NEW, KNOWN, NEW, NEW, NEW, KNOWN]


def test_texts_with_one_hash(table):
    """A text in the table becomes another one, so that there are two of one hash."""
    table.fill_buffer(b"first text" * 2)
    table.begin(0)
    assert table.texts([(0, 10)]) == [NEW]
    table.fill_buffer(b"other text" + b"first text" * 2)
    assert table.texts([(10, 10), (20, 10), (10, 10)]) == [NEW, KNOWN, KNOWN]


@pytest.mark.parametrize("alphabet", [b"a\xff", b"\x00\x80"])
def test_many_texts(table, alphabet):
    """Such as differ in top bits only: where a weak hash has its collisions."""
    words = [bytes(alphabet[number >> i & 1] for i in range(14)) for number in range(2**13)]
    table.fill_buffer(b"".join(words))
    rows = [(i * 14, 14) for i in range(2**13)]
    table.begin(0)
    assert table.texts(rows) == [NEW] * len(rows)
    print(table.duration, "ns an insertion")
    assert table.texts(rows) == [KNOWN] * len(rows)


def test_hash_of_texts_is_siphash(table):
    """Taken from the entry: its place is bits 32 to 46, its top the lowest 16."""
    for size in (0, 1, 7, 8, 9, 15, 16, 511, 512, 1000, 65535):
        text = random.Random(size).randbytes(size)
        table.fill_buffer(text + b"\xff" * 8)
        generation = table.run([(BEGIN, 0, 0), (NEW_SET, 0, 0), (TEXT, 0, size << 32)])[1]
        value = content(table)
        want = siphash13(*seeds(value, generation), text)
        at = used(table).index(True)
        assert (at, struct.unpack_from("<Q", value, 40 + at * 16)[0] >> 48) \
            == (want >> 32 & 32767, want & 0xFFFF), size


def seeds(value, generation=0):
    first, second = struct.unpack_from("<QQ", value, 16)
    return first ^ generation, second


def siphash13(k0, k1, data):
    """Source: https://www.aumasson.jp/siphash/siphash.pdf"""
    mask = 2**64 - 1

    def rotate(word, by):
        return (word << by | word >> (64 - by)) & mask

    def rounds(v, count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & mask
            v[1] = rotate(v[1], 13) ^ v[0]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[3]) & mask
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & mask
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & mask
            v[1] = rotate(v[1], 17) ^ v[2]
            v[2] = rotate(v[2], 32)

    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 255])
    for word, in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        rounds(v, 1)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(v, 3)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


# ---- States --------------------------------------------------------------------------------------------
def test_each_state_has_a_table_of_its_own(elf):
    """Claimed states are kept, so that each run gets another one."""
    table = Table(elf)
    script = [(BEGIN, 0, 0), (NEW_SET, 0, 0), (SCALAR, 0, 7), (SCALAR, 0, 7), (CLAIM, 0, 0)]
    results = [table.run(script) for _ in range(STATES)]
    table.close()
    assert sorted(claimed for *_, claimed in results) == list(range(STATES))
    assert [rest for *rest, _ in results] == [[0, 1, NEW, KNOWN]] * STATES
