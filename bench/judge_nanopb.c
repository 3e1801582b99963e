// nanopb: decode into static messages, check. It does not look at UTF-8 (as Debian builds it), so
// the checks do.
#include <pb_decode.h>

#include "bench.pb.h"
#include "bench/judge.h"

static bool text_ok(const char *text)
{
    return utf8_ok((const uint8_t *)text, strlen(text));
}

static bool decode(const uint8_t *data, size_t size, const pb_msgdesc_t *fields, void *message)
{
    pb_istream_t stream = pb_istream_from_buffer(data, size);
    return pb_decode(&stream, fields, message);
}

static bool search(const uint8_t *data, size_t size)
{
    static bench_Search m;
    return decode(data, size, bench_Search_fields, &m) && text_ok(m.query) &&
           search_ok(m.query, strlen(m.query), m.page_number, m.result_per_page);
}

static bool telemetry(const uint8_t *data, size_t size)
{
    static bench_Telemetry m;
    return decode(data, size, bench_Telemetry_fields, &m) && text_ok(m.name) &&
           text_ok(m.firmware) && text_ok(m.link.interface) &&
           telemetry_ok(strlen(m.name), m.position.latitude, m.temperature, m.battery,
                        m.samples_count);
}

static bool labels_ok(const bench_Metric *m)
{
    for (size_t i = 0; i < m->labels_count; i++)
        if (!text_ok(m->labels[i].key) || !text_ok(m->labels[i].value))
            return false;
    return true;
}

static bool batch(const uint8_t *data, size_t size)
{
    static bench_Batch m;
    if (!decode(data, size, bench_Batch_fields, &m) || !text_ok(m.host))
        return false;
    for (size_t i = 0; i < m.metrics_count; i++) {
        const bench_Metric *metric = &m.metrics[i];
        if (!text_ok(metric->name) ||
            !metric_ok(metric->name, strlen(metric->name), metric->value) || !labels_ok(metric))
            return false;
    }
    return batch_ok(m.metrics_count);
}

static bool blob(const uint8_t *data, size_t size)
{
    static bench_Blob m;
    return decode(data, size, bench_Blob_fields, &m) && text_ok(m.id) &&
           blob_ok(strlen(m.id), m.chunk, m.total, m.payload.size);
}

const struct judge nanopb_judge = {"nanopb", {search, telemetry, batch, blob}};
