// protobuf-c: unpack, check, free. It does not look at UTF-8, so the checks do.
#include "bench.pb-c.h"
#include "bench/judge.h"

static bool text_ok(const char *text)
{
    return utf8_ok((const uint8_t *)text, strlen(text));
}

static bool search(const uint8_t *message, size_t size)
{
    Bench__Search *m = bench__search__unpack(NULL, size, message);
    if (!m)
        return false;
    bool ok = text_ok(m->query) &&
              search_ok(m->query, strlen(m->query), m->page_number, m->result_per_page);
    bench__search__free_unpacked(m, NULL);
    return ok;
}

static bool telemetry(const uint8_t *message, size_t size)
{
    Bench__Telemetry *m = bench__telemetry__unpack(NULL, size, message);
    if (!m)
        return false;
    bool ok = text_ok(m->name) && text_ok(m->firmware) &&
              (!m->link || text_ok(m->link->interface)) &&
              telemetry_ok(strlen(m->name), m->position ? m->position->latitude : 0, m->temperature,
                           m->battery, m->n_samples);
    bench__telemetry__free_unpacked(m, NULL);
    return ok;
}

static bool labels_ok(const Bench__Metric *metric)
{
    for (size_t i = 0; i < metric->n_labels; i++)
        if (!text_ok(metric->labels[i]->key) || !text_ok(metric->labels[i]->value))
            return false;
    return true;
}

static bool metrics_ok(const Bench__Batch *batch)
{
    for (size_t i = 0; i < batch->n_metrics; i++) {
        const Bench__Metric *m = batch->metrics[i];
        if (!text_ok(m->name) || !metric_ok(m->name, strlen(m->name), m->value) || !labels_ok(m))
            return false;
    }
    return batch_ok(batch->n_metrics);
}

static bool batch(const uint8_t *message, size_t size)
{
    Bench__Batch *m = bench__batch__unpack(NULL, size, message);
    if (!m)
        return false;
    bool ok = text_ok(m->host) && metrics_ok(m);
    bench__batch__free_unpacked(m, NULL);
    return ok;
}

static bool blob(const uint8_t *message, size_t size)
{
    Bench__Blob *m = bench__blob__unpack(NULL, size, message);
    if (!m)
        return false;
    bool ok = text_ok(m->id) && blob_ok(strlen(m->id), m->chunk, m->total, m->payload.len);
    bench__blob__free_unpacked(m, NULL);
    return ok;
}

const struct judge protobuf_c_judge = {"protobuf-c", {search, telemetry, batch, blob}};

// ---- Without checks -----------------------------------------------------------------------------
static bool unpack(const ProtobufCMessageDescriptor *type, const uint8_t *message, size_t size)
{
    ProtobufCMessage *m = protobuf_c_message_unpack(type, NULL, size, message);
    protobuf_c_message_free_unpacked(m, NULL);
    return m != NULL;
}

static bool unpack_search(const uint8_t *message, size_t size)
{
    return unpack(&bench__search__descriptor, message, size);
}

static bool unpack_telemetry(const uint8_t *message, size_t size)
{
    return unpack(&bench__telemetry__descriptor, message, size);
}

static bool unpack_batch(const uint8_t *message, size_t size)
{
    return unpack(&bench__batch__descriptor, message, size);
}

static bool unpack_blob(const uint8_t *message, size_t size)
{
    return unpack(&bench__blob__descriptor, message, size);
}

const struct judge unpack_judge = {"unpack",
                                   {unpack_search, unpack_telemetry, unpack_batch, unpack_blob}};
