#include "compiler/emit_texts.h"

#include <string.h>

#include "bpf/table.h"

void p2e_texts_free(struct p2e_texts *texts)
{
    p2e_buffer_free(&texts->bytes);
    p2e_buffer_free(&texts->failures);
}

uint32_t p2e_texts_position(struct p2e_texts *texts, const char *data, size_t size)
{
    struct p2e_buffer *bytes = &texts->bytes;
    const char *found = bytes->size ? memmem(bytes->data, bytes->size, data, size) : NULL;
    if (found || !size)
        return P2E_LITERALS + (found ? found - bytes->data : 0);
    if (size > P2E_LITERALS_MAX - bytes->size) {
        texts->overflow = true;
        return P2E_LITERALS;
    }
    p2e_buffer_add(bytes, data, size);
    return P2E_LITERALS + bytes->size - size;
}

// Knuth, Morris, Pratt: failures[i] is how much of the text is a suffix of its first i + 1 bytes.
uint32_t p2e_texts_failures(struct p2e_texts *texts, const char *data, size_t size)
{
    uint32_t index = texts->failures.size / sizeof(uint16_t);
    uint16_t zero = 0;
    p2e_buffer_add(&texts->failures, &zero, sizeof(zero));
    for (size_t i = 1; i < size && !texts->failures.failed; i++) {
        const uint16_t *failures = (const uint16_t *)(const void *)texts->failures.data + index;
        uint16_t matched = failures[i - 1];
        while (matched && data[i] != data[matched])
            matched = failures[matched - 1];
        matched += data[i] == data[matched];
        p2e_buffer_add(&texts->failures, &matched, sizeof(matched));
    }
    texts->overflow |= texts->failures.size > 2 * P2E_LITERALS_MAX;
    return index;
}

// An object has room for few functions (compiler/object.c).
void p2e_texts_uses(struct p2e_buffer *out, const char *body)
{
    static const struct {
        const char *name, *calls[7];
    } uses[] = {
        {"COMPARE",
         {"p2e_text_equal(", "p2e_text_starts_with(", "p2e_text_ends_with(", "p2e_text_compare(",
          "p2e_first_time_text(", "p2e_meet_key_text("}},
        {"SEARCH_WORD", {"p2e_text_search_word("}},
        {"NETWORK", {"p2e_text_is_network("}},
        {"POINTS",
         {"p2e_text_points(", "p2e_text_points_checked(", "p2e_text_points_above(",
          "p2e_text_points_equal("}},
    };
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        bool used = false;
        for (const char *const *call = uses[i].calls; *call; call++)
            used |= strstr(body, *call) != NULL;
        p2e_buffer_printf(out, "#define P2E_USES_%s %d\n", uses[i].name, used);
    }
}
