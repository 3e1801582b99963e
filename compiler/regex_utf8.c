#include <string.h>

#include "compiler/regex_private.h"

// ---- Nodes --------------------------------------------------------------------------------------

// Edges of a node that is being made.
struct edges {
    struct p2e_utf8_edge list[256];
    unsigned count;
};

static void add_edge(struct edges *edges, uint8_t byte, uint16_t target)
{
    struct p2e_utf8_edge *last = edges->count ? &edges->list[edges->count - 1] : NULL;
    if (target == P2E_UTF8_NONE)
        return;
    if (last && last->target == target && last->last + 1 == byte)
        last->last = byte;
    else
        edges->list[edges->count++] = (struct p2e_utf8_edge){byte, byte, target};
}

static unsigned hash_edges(const struct edges *edges)
{
    uint32_t hash = 2166136261;
    for (unsigned i = 0; i < edges->count; i++) {
        const struct p2e_utf8_edge *edge = &edges->list[i];
        hash = (hash ^ (uint32_t)(edge->first << 8 | edge->last)) * 16777619;
        hash = (hash ^ edge->target) * 16777619;
    }
    return (hash ^ hash >> 16) % P2E_UTF8_BUCKETS;
}

static uint16_t find_node(const struct p2e_utf8_graph *graph, const struct edges *edges,
                          unsigned bucket)
{
    uint16_t node = graph->buckets[bucket];
    for (; node; node = graph->nodes[node].chain) {
        const struct p2e_utf8_node *candidate = &graph->nodes[node];
        if (candidate->count == edges->count && memcmp(graph->edges + candidate->begin, edges->list,
                                                       edges->count * sizeof(*edges->list)) == 0)
            break;
    }
    return node;
}

static int add_node(struct p2e_regex_build *build, struct p2e_utf8_node node, uint16_t *id)
{
    struct p2e_utf8_graph *graph = &build->graph;
    void *nodes =
        p2e_regex_grow(graph->nodes, &graph->node_capacity, graph->node_count, sizeof(node));
    if (!nodes)
        return p2e_regex_fail_memory(build);
    graph->nodes = nodes;
    if (graph->node_count == P2E_UTF8_MAX_NODES)
        return p2e_regex_fail_size(build);
    *id = (uint16_t)graph->node_count++;
    graph->nodes[*id] = node;
    return 0;
}

static int add_edges(struct p2e_regex_build *build, const struct edges *edges)
{
    struct p2e_utf8_graph *graph = &build->graph;
    for (unsigned i = 0; i < edges->count; i++) {
        void *grown = p2e_regex_grow(graph->edges, &graph->edge_capacity, graph->edge_count,
                                     sizeof(*graph->edges));
        if (!grown)
            return p2e_regex_fail_memory(build);
        graph->edges = grown;
        graph->edges[graph->edge_count++] = edges->list[i];
    }
    return 0;
}

// The node with these edges, made when there is none yet.
static int intern(struct p2e_regex_build *build, const struct edges *edges, uint16_t *id)
{
    struct p2e_utf8_graph *graph = &build->graph;
    *id = P2E_UTF8_NONE;
    if (edges->count == 0)
        return 0;
    unsigned bucket = hash_edges(edges);
    *id = find_node(graph, edges, bucket);
    if (*id)
        return 0;

    struct p2e_utf8_node node = {
        .begin = (uint32_t)graph->edge_count,
        .count = (uint16_t)edges->count,
        .chain = graph->buckets[bucket],
    };
    if (add_edges(build, edges) < 0 || add_node(build, node, id) < 0)
        return -1;
    graph->buckets[bucket] = *id;
    return 0;
}

static int begin_graph(struct p2e_regex_build *build)
{
    uint16_t id;
    if (build->graph.node_count > 0)
        return 0;
    for (int i = P2E_UTF8_NONE; i <= P2E_UTF8_DONE; i++) {
        if (add_node(build, (struct p2e_utf8_node){0}, &id) < 0)
            return -1;
    }
    return 0;
}

// ---- From code points to bytes ------------------------------------------------------------------

// Lead bytes, how many bytes follow them, and the code points that they may begin.
struct band {
    uint8_t first, last, marker, following;
    struct p2e_unicode_range codes;
};

static const struct band bands[] = {
    {0x00, 0x7f, 0x00, 0, {0x0, 0x7f}},      {0xc2, 0xdf, 0xc0, 1, {0x80, 0x7ff}},
    {0xe0, 0xed, 0xe0, 2, {0x800, 0xd7ff}}, // surrogates have no sequence
    {0xee, 0xef, 0xe0, 2, {0xe000, 0xffff}}, {0xf0, 0xf4, 0xf0, 3, {0x10000, 0x10ffff}},
};

enum coverage { COVERS_NONE, COVERS_SOME, COVERS_ALL };

static enum coverage covers(const struct p2e_code_set *set, const struct band *band, uint32_t first,
                            uint32_t last)
{
    bool outside = first < band->codes.first || last > band->codes.last;
    if (first < band->codes.first)
        first = band->codes.first;
    if (last > band->codes.last)
        last = band->codes.last;
    if (first > last)
        return COVERS_NONE;
    size_t begin = 0, end = set->count;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (set->ranges[middle].last < first)
            begin = middle + 1;
        else
            end = middle;
    }
    if (begin == set->count || set->ranges[begin].first > last)
        return COVERS_NONE;
    bool all = set->ranges[begin].first <= first && set->ranges[begin].last >= last;
    return all && !outside ? COVERS_ALL : COVERS_SOME;
}

// The node from which `following` bytes, all of them continuations, make a character.
static int add_full(struct p2e_regex_build *build, unsigned following, uint16_t *id)
{
    *id = P2E_UTF8_DONE;
    for (unsigned i = 0; i < following; i++) {
        struct edges edges = {.list = {{0x80, 0xbf, *id}}, .count = 1};
        if (intern(build, &edges, id) < 0)
            return -1;
    }
    return 0;
}

// The node for the code points of the set from `base` on that `following` more bytes can tell.
static int add_partial(struct p2e_regex_build *build, const struct p2e_code_set *set,
                       const struct band *band, unsigned following, uint32_t base, uint16_t *id)
{
    if (p2e_regex_spend(build, 4) < 0)
        return -1;
    uint32_t last = base + (1u << 6 * following) - 1;
    enum coverage coverage = covers(set, band, base, last);
    *id = P2E_UTF8_NONE;
    if (coverage == COVERS_NONE)
        return 0;
    if (coverage == COVERS_ALL)
        return add_full(build, following, id);

    struct edges edges = {.count = 0};
    for (unsigned i = 0; i < 64; i++) {
        uint16_t target;
        uint32_t part = base + (i << 6 * (following - 1));
        if (add_partial(build, set, band, following - 1, part, &target) < 0)
            return -1;
        add_edge(&edges, (uint8_t)(0x80 + i), target);
    }
    return intern(build, &edges, id);
}

int p2e_utf8_graph_add(struct p2e_regex_build *build, const struct p2e_code_set *set,
                       uint16_t *node)
{
    struct edges edges = {.count = 0};
    if (begin_graph(build) < 0)
        return -1;
    for (size_t i = 0; i < sizeof(bands) / sizeof(*bands); i++) {
        const struct band *band = &bands[i];
        for (unsigned lead = band->first; lead <= band->last; lead++) {
            uint16_t target;
            uint32_t base = (lead - band->marker) << 6 * band->following;
            if (add_partial(build, set, band, band->following, base, &target) < 0)
                return -1;
            add_edge(&edges, (uint8_t)lead, target);
        }
    }
    return intern(build, &edges, node);
}
