// What the kernel side and user space both know: names, layouts, numbers. Included by both, so it
// uses nothing but fixed-width types. Any change of meaning here raises P2E_ABI.
#ifndef P2E_BPF_ABI_H
#define P2E_BPF_ABI_H

#ifdef __bpf__
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef signed int __s32;
typedef unsigned long long __u64;
#else
#include <linux/types.h>
#endif

#define P2E_ABI   4
#define P2E_MAGIC 0x31653270 // "p2e1", little endian

// Messages longer than this are dropped as oversized; above what UDP can carry (65,507 B on IPv4).
#define P2E_MAX_MESSAGE 65535

// ---- An object, as `p2e compile` leaves it ------------------------------------------------------
// NAME.bpf.o is clang's ELF file; its
// section P2E_SECTION_LOADER holds a struct p2e_blob, all that is needed to load it: a process that
// loads needs no ELF library. Offsets count from the blob's begin.

#define P2E_SECTION_LOADER    ".p2e.loader"
#define P2E_BLOB_NAME_SIZE    32
#define P2E_BLOB_MAX_MAPS     16
#define P2E_BLOB_MAX_PROGRAMS 4

struct p2e_blob_map {
    char name[P2E_BLOB_NAME_SIZE]; // P2E_MAP_*
    __u32 value_offset;            // initial value (constants), 0 for none
    __u32 value_size;
};

struct p2e_blob {
    __u32 magic; // P2E_MAGIC
    __u32 abi;   // P2E_ABI
    __u32 size;  // of the whole blob
    __u32 map_count, program_count;
    __u32 insns_offset, insns_size; // libbpf's loader program (bpf_object__gen_loader) …
    __u32 data_offset, data_size;   // … and its data
    __u32 checksum;                 // CRC-32 of the whole blob with this field 0
    struct p2e_blob_map maps[P2E_BLOB_MAX_MAPS]; // in the order of the loader's context
    char programs[P2E_BLOB_MAX_PROGRAMS][P2E_BLOB_NAME_SIZE];
};

// ---- Programs and maps of an object -------------------------------------------------------------
#define P2E_PROGRAM_ENTRY "p2e_entry" // what a socket gets when pinned: tail-calls the slot
#define P2E_PROGRAM_JUDGE "p2e_judge" // walks, judges, counts; what a socket gets when not pinned

#define P2E_MAP_SLOT "p2e_slot" // PROG_ARRAY, one entry: the judge
// ARRAY of one __u32: 1 where an empty slot passes all (monitor), 0 where it drops all. It goes
// with the slot, so that sockets behave by what was last in it, whatever their entry was loaded
// with.
#define P2E_MAP_EMPTY "p2e_empty"
// ARRAY of walker states, see P2E_STATES_SHARED. It can be mapped into memory, and each value
// begins with words, __u64, for user space: by enum p2e_state_word. (A map of counters alone would
// be another page to reach for each message; that is a quarter of a short message's verdict.) What
// else a value holds is not for others to see: messages.
#define P2E_MAP_STATE    "p2e_state"
#define P2E_MAP_SAMPLES  "p2e_samples"     // RINGBUF of struct p2e_sample, each with its message
#define P2E_MAP_DISTINCT "p2e_distinct"    // ARRAY, only where rules need it: a value a state
#define P2E_MAP_OPTIONS  ".rodata.options" // one struct p2e_options
#define P2E_MAP_META     ".rodata.meta"    // a struct p2e_meta and its texts

// Names in a filter's pin folder, pin_dir/NAME/
#define P2E_PIN_ENTRY   "entry"
#define P2E_PIN_JUDGE   "judge"
#define P2E_PIN_SLOT    "slot"
#define P2E_PIN_EMPTY   "empty"
#define P2E_PIN_STATE   "state"
#define P2E_PIN_META    "meta"
#define P2E_PIN_OPTIONS "options"
#define P2E_PIN_SAMPLES "samples"

// How a walker state is found. In softirq (UDP) one per CPU does, indexed by CPU. UNIX sockets run
// the filter in the sender's context, where it may be preempted: states are claimed from a pool.
#define P2E_STATES_SHARED 32 // how many the pool has

enum p2e_state_word {
    // How many samples the state may still write. Whoever wants to see some sets it, again and
    // again: that is the rate.
    P2E_WORD_BUDGET,
    P2E_WORD_COUNTERS, // the first of what the state has judged, by enum p2e_counter
};

// Set by whoever loads, before loading; constant for the verifier.
struct p2e_options {
    __u32 payload_offset; // of the message in the packet: 8 for UDP, 0 for UNIX
    __u32 state_count;    // entries of P2E_MAP_STATE
    __u32 monitor;        // 1: count, and pass all the same
    __u32 probe;          // 1: return the verdict (enum p2e_counter + 1) instead of a length
    __s32 tai_ahead;      // seconds that the kernel's CLOCK_TAI is ahead of CLOCK_REALTIME
};

// Why a message passed or was dropped; indexes the counters of a state. Rule i counts at
// P2E_COUNT_RULES + i. A dropped message counts once, for the first rule in order that does not
// hold.
enum p2e_counter {
    P2E_COUNT_PASSED,
    P2E_COUNT_MALFORMED,  // a protobuf parser would refuse it, or it nests too deep
    P2E_COUNT_OVERSIZED,  // longer than P2E_MAX_MESSAGE
    P2E_COUNT_AGGREGATED, // several datagrams in one packet (UDP_GRO): cannot be judged one by one
    P2E_COUNT_BUSY,       // no walker state was free
    P2E_COUNT_RULES,
};

#define P2E_MAX_RULES 1024

// ---- Samples ------------------------------------------------------------------------------------
// One a message that was dropped, or would have been (monitor), as long as there is a budget. The
// buffer has room for a burst of long ones; what does not fit in is lost.
#define P2E_SAMPLES_SIZE 262144 // of the ring buffer: a power of two
#define P2E_SAMPLE_MAX   4096   // bytes of a message that a sample has at most

enum p2e_sample_family { P2E_SAMPLE_NO_ADDRESS, P2E_SAMPLE_IPV4, P2E_SAMPLE_IPV6 };

struct p2e_sample {
    __u64 time;     // nanoseconds of CLOCK_BOOTTIME
    __u32 verdict;  // enum p2e_counter, P2E_COUNT_RULES + i for rule i
    __u32 fault;    // of a malformed message: offset of the field that is at fault
    __u32 size;     // of the message; of an aggregated one, of all that came together
    __u32 included; // how many bytes of it follow this header: its first ones
    __u16 family;   // enum p2e_sample_family: of the sender's address, which UDP has
    __u16 port;     // of the sender
    __u32 reserved;
    __u8 address[16]; // in network order, IPv4 in the first four bytes
};

#define P2E_KERNEL(major, minor) ((major) << 16 | (minor))
#define P2E_KERNEL_NOW           P2E_KERNEL(6, 1) // bpf_ktime_get_tai_ns() in a socket filter

// What an object says of itself. `size` bytes; the strings follow the header, each ended by a NUL,
// in this order: filter name, message type, canonical text of the filter (p2e_filter_canonical),
// digest (hex SHA-256 of all that went into the compilation); then for each rule: id, expression,
// message.
struct p2e_meta {
    __u32 magic; // P2E_MAGIC
    __u32 abi;   // P2E_ABI
    __u32 size;  // header and strings
    __u32 rule_count;
    __u32 kernel; // the oldest Linux that has what the rules need, P2E_KERNEL(); 0 for any
};

// ---- The published table ------------------------------------------------------------------------
// Which socket belongs to which filter, for servers that have no configuration file: the value of
// an ARRAY map of one entry, pinned as pin_dir/~published ('~' is in no filter's name). A header,
// then filter_count filters, range_count port ranges, and text_size bytes of texts, each ended by a
// NUL; nothing in between, and nothing behind. A text is named by its offset in the texts, of which
// the first is empty and stands for "none".
#define P2E_PIN_PUBLISHED   "~published"
#define P2E_MAP_PUBLISHED   "p2e_published"
#define P2E_PUBLISHED_MAGIC 0x31743270 // "p2t1", little endian
#define P2E_PUBLISHED_MAX   (1u << 20) // bytes in all

struct p2e_published {
    __u32 magic; // P2E_PUBLISHED_MAGIC
    __u32 abi;   // P2E_ABI
    __u32 size;  // of all
    __u32 filter_count, range_count, text_size;
    __u32 checksum; // CRC-32 of all with this field 0
};

enum p2e_published_family { P2E_EVERY_ADDRESS, P2E_IPV4_ADDRESS, P2E_IPV6_ADDRESS };

struct p2e_published_filter {
    __u32 name, path, program; // texts; path is none for UDP, program is none for any
    __u32 first_range;         // of its port ranges, ascending with a gap between each two;
    __u32 range_count;         // 0 for UNIX
    __u8 transport;            // enum p2e_transport (config/config.h)
    __u8 mode;                 // enum p2e_mode
    __u8 on_error;             // enum p2e_on_error
    __u8 family;               // enum p2e_published_family
    __u8 address[16];          // in network order; what a family has no use for is 0
};

struct p2e_published_range {
    __u16 first, last;
};

// ---- The hand-over ------------------------------------------------------------------------------
// The agent's SOCK_SEQPACKET socket, for servers that see no bpffs. One request a connection, one
// reply: with P2E_HANDOVER_GIVEN comes one descriptor (SCM_RIGHTS), for a table a memfd that holds
// it, sealed, for a program the filter's entry.
#define P2E_HANDOVER_MAGIC 0x31683270 // "p2h1", little endian

enum p2e_handover_kind { P2E_HANDOVER_TABLE = 1, P2E_HANDOVER_PROGRAM };
enum p2e_handover_status {
    P2E_HANDOVER_GIVEN,
    P2E_HANDOVER_NONE, // nothing is published
    P2E_HANDOVER_REFUSED,
};

struct p2e_handover_request {
    __u32 magic, abi; // stay first in all versions, as in the reply
    __u32 kind;       // enum p2e_handover_kind
    // Of a program: which filter's, and what the table says of that filter.
    __u32 transport, mode;
    char name[64]; // ended by a NUL
};

struct p2e_handover_reply {
    __u32 magic, abi;
    __u32 status;   // enum p2e_handover_status
    char text[500]; // why not, ended by a NUL
};

#endif
