#include "loader/samples.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RECORD_HEADER 8 // BPF_RINGBUF_HDR_SZ

// ---- The ring buffer, as bpf(2) maps it ---------------------------------------------------------
// A page with the reader's position, then one with the kernel's, then the data, twice.
static int map_ring(int fd, struct p2e_samples *samples, struct p2e_error *err)
{
    struct bpf_map_info info;
    char *ours, *theirs;

    if (p2e_bpf_map_info(fd, &info))
        return p2e_error_set(err, "the kernel does not tell of the samples: %m");
    samples->page = (size_t)sysconf(_SC_PAGESIZE);
    samples->size = info.max_entries;
    ours = mmap(NULL, samples->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (ours == MAP_FAILED)
        return p2e_error_set(err, "the samples cannot be mapped into memory: %m");
    samples->consumed = (volatile uint64_t *)ours;
    theirs = mmap(NULL, samples->page + 2 * samples->size, PROT_READ, MAP_SHARED, fd,
                  (off_t)samples->page);
    if (theirs == MAP_FAILED)
        return p2e_error_set(err, "the samples cannot be mapped into memory: %m");
    samples->produced = (const volatile uint64_t *)theirs;
    samples->data = theirs + samples->page;
    return 0;
}

static void unmap_ring(struct p2e_samples *samples)
{
    if (samples->consumed)
        munmap((void *)samples->consumed, samples->page);
    if (samples->produced)
        munmap((void *)samples->produced, samples->page + 2 * samples->size);
}

int p2e_samples_open(const struct p2e_handles *handles, uint32_t rule_count,
                     struct p2e_samples *samples, struct p2e_error *err)
{
    *samples = (struct p2e_samples){0};
    if (map_ring(handles->samples, samples, err) ||
        p2e_states_map(handles->state, rule_count, true, &samples->states, err)) {
        p2e_samples_close(samples);
        return -1;
    }
    __atomic_store_n(samples->consumed, __atomic_load_n(samples->produced, __ATOMIC_ACQUIRE),
                     __ATOMIC_RELEASE);
    return 0;
}

void p2e_samples_close(struct p2e_samples *samples)
{
    p2e_samples_refill(samples, 0);
    p2e_states_unmap(&samples->states);
    unmap_ring(samples);
    *samples = (struct p2e_samples){0};
}

void p2e_samples_refill(struct p2e_samples *samples, uint64_t budget)
{
    for (uint32_t i = 0; i < samples->states.count; i++)
        *p2e_states_word(&samples->states, i, P2E_WORD_BUDGET) = budget;
}

// ---- Records ------------------------------------------------------------------------------------
static bool take_sample(const char *data, uint32_t size, struct p2e_sample *sample, void *message)
{
    if (size < sizeof(*sample))
        return false;
    memcpy(sample, data, sizeof(*sample));
    if (sample->included > P2E_SAMPLE_MAX || sample->included != size - sizeof(*sample))
        return false;
    memcpy(message, data + sizeof(*sample), sample->included);
    return true;
}

// The record at `at`. Returns what it occupies, 0 as long as the kernel is still writing it;
// *is_ours tells whether it is a sample.
static uint64_t take_record(const struct p2e_samples *samples, uint64_t at,
                            struct p2e_sample *sample, void *message, bool *is_ours)
{
    const char *record = samples->data + (at & (samples->size - 1));
    uint32_t header = __atomic_load_n((const uint32_t *)record, __ATOMIC_ACQUIRE);
    uint32_t size = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

    *is_ours = false;
    if (header & BPF_RINGBUF_BUSY_BIT)
        return 0;
    if (!(header & BPF_RINGBUF_DISCARD_BIT) && size <= samples->size)
        *is_ours = take_sample(record + RECORD_HEADER, size, sample, message);
    return ((uint64_t)size + RECORD_HEADER + 7) & ~7ull;
}

bool p2e_samples_next(struct p2e_samples *samples, struct p2e_sample *sample, void *message)
{
    uint64_t at = __atomic_load_n(samples->consumed, __ATOMIC_ACQUIRE);

    while (at < __atomic_load_n(samples->produced, __ATOMIC_ACQUIRE)) {
        bool is_ours;
        uint64_t size = take_record(samples, at, sample, message, &is_ours);

        if (!size)
            return false;
        // Whoever moves the position has a whole copy: nothing is overwritten before.
        if (!__atomic_compare_exchange_n(samples->consumed, &at, at + size, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_ACQUIRE))
            continue;
        if (is_ours)
            return true;
        at += size;
    }
    return false;
}
