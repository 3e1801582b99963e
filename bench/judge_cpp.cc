// The C++ library, as it is used where speed matters: one message that is parsed into again and
// again. It looks at UTF-8 itself.
#include "bench.pb.h"
#include "bench/judge.h"

namespace
{
// The library writes a line for every malformed string: not what is measured.
google::protobuf::LogHandler *const before = google::protobuf::SetLogHandler(nullptr);

bool search(const uint8_t *data, size_t size)
{
    static bench::Search m;
    return m.ParseFromArray(data, (int)size) &&
           search_ok(m.query().data(), m.query().size(), m.page_number(), m.result_per_page());
}

bool telemetry(const uint8_t *data, size_t size)
{
    static bench::Telemetry m;
    return m.ParseFromArray(data, (int)size) &&
           telemetry_ok(m.name().size(), m.position().latitude(), m.temperature(), m.battery(),
                        (size_t)m.samples_size());
}

bool batch(const uint8_t *data, size_t size)
{
    static bench::Batch m;
    if (!m.ParseFromArray(data, (int)size))
        return false;
    for (const bench::Metric &metric : m.metrics())
        if (!metric_ok(metric.name().data(), metric.name().size(), metric.value()))
            return false;
    return batch_ok((size_t)m.metrics_size());
}

bool blob(const uint8_t *data, size_t size)
{
    static bench::Blob m;
    return m.ParseFromArray(data, (int)size) &&
           blob_ok(m.id().size(), m.chunk(), m.total(), m.payload().size());
}
} // namespace

extern "C" const struct judge cpp_judge = {"C++", {search, telemetry, batch, blob}};
