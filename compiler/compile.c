#include "compiler/compile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "compiler/bpf_sources.h"
#include "compiler/emit.h"
#include "compiler/object.h"
#include "compiler/process.h"
#include "compiler/validate.h"

void p2e_program_source_free(struct p2e_program_source *source)
{
    p2e_buffer_free(&source->text);
}

// ---- Rules to a plan ----------------------------------------------------------------------------
static int add_rule(struct p2e_rules *rules, const struct p2e_rule *rule,
                    const struct p2e_message *message, const struct p2e_schema *schema,
                    struct p2e_error *err)
{
    struct p2e_plan_rule added = {
        .id = rule->id, .expression = rule->expression, .message = rule->message};
    if (p2e_cel_compile(rule->expression, message, schema, &added.cel, err) < 0) {
        p2e_error_prefix(err, "rule \"%s\"", rule->id);
        return p2e_rules_refuse(rules, &added, err);
    }
    return p2e_rules_add(rules, rules->root, &added, err);
}

static int add_rules(struct p2e_rules *rules, const struct p2e_filter *filter,
                     const struct p2e_message *message, const struct p2e_schema *schema,
                     struct p2e_error *err)
{
    for (size_t i = 0; i < filter->rule_count; i++) {
        if (add_rule(rules, &filter->rules[i], message, schema, err) < 0)
            return -1;
    }
    if (filter->annotations == P2E_ANNOTATIONS_IGNORE)
        return 0;
    return p2e_validate_rules(message, schema, rules, err);
}

static int make_plan(const struct p2e_filter *filter, const struct p2e_schema *schema,
                     bool tolerant, struct p2e_plan *plan, struct p2e_error *err)
{
    struct p2e_rules rules = {0};
    const struct p2e_message *message = p2e_schema_require(schema, filter->message, err);
    if (!message)
        return -1;
    if (p2e_rules_init(&rules, tolerant, err) < 0 ||
        add_rules(&rules, filter, message, schema, err) < 0) {
        p2e_rules_free(&rules);
        return -1;
    }
    int result = p2e_plan_make(message, schema, &rules, filter->max_depth, plan, err);
    plan->shares_states = filter->transport != P2E_UDP;
    return result;
}

// ---- A plan to one source file ------------------------------------------------------------------
#define HEADERS_MAX 64

struct amalgam {
    struct p2e_buffer *out;
    bool seen[HEADERS_MAX];
};

// Index of one of our headers, -1 for any other name.
static int header_index(const char *name, size_t size)
{
    for (int i = 0; p2e_bpf_sources[i].name && i < HEADERS_MAX; i++) {
        if (strlen(p2e_bpf_sources[i].name) == size && !memcmp(p2e_bpf_sources[i].name, name, size))
            return i;
    }
    return -1;
}

// Copies text, with each of our headers put in where it is included first.
static void amalgamate(struct amalgam *a, const char *text)
{
    static const char directive[] = "#include \"";
    while (*text) {
        const char *end = strchrnul(text, '\n'), *name = text + sizeof(directive) - 1;
        bool include = !strncmp(text, directive, sizeof(directive) - 1);
        int header = include ? header_index(name, strcspn(name, "\"\n")) : -1;
        end += *end == '\n';
        if (header < 0) {
            p2e_buffer_add(a->out, text, end - text);
        } else if (!a->seen[header]) {
            a->seen[header] = true;
            amalgamate(a, p2e_bpf_sources[header].text);
        }
        text = end;
    }
}

static int write_source(const struct p2e_filter *filter, const struct p2e_plan *plan,
                        struct p2e_program_source *source, struct p2e_error *err)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer emitted = {0};
    _cleanup_free_ char *canonical = p2e_filter_canonical(filter);
    if (!canonical)
        return p2e_error_set(err, "out of memory");
    struct p2e_emit_names names = {filter->name, canonical};
    if (p2e_emit(plan, &names, &emitted, source->digest, err) < 0)
        return -1;
    struct amalgam amalgam = {.out = &source->text};
    amalgamate(&amalgam, emitted.data);
    return source->text.failed ? p2e_error_set(err, "out of memory") : 0;
}

int p2e_compile_plan(const struct p2e_filter *filter, bool tolerant, struct p2e_schema *schema,
                     struct p2e_plan *plan, struct p2e_error *err)
{
    *plan = (struct p2e_plan){0};
    if (p2e_schema_load(filter->schema, filter->includes, filter->include_count, schema, err) < 0)
        return -1;
    if (make_plan(filter, schema, tolerant, plan, err) == 0)
        return 0;
    p2e_schema_free(schema);
    return -1;
}

int p2e_compile_source(const struct p2e_filter *filter, struct p2e_program_source *source,
                       struct p2e_error *err)
{
    struct p2e_schema schema = {0};
    struct p2e_plan plan;
    *source = (struct p2e_program_source){0};
    int result = p2e_compile_plan(filter, false, &schema, &plan, err);
    if (result == 0) {
        result = write_source(filter, &plan, source, err);
        p2e_plan_free(&plan);
        p2e_schema_free(&schema);
    }
    if (result < 0) {
        p2e_program_source_free(source);
        p2e_error_prefix(err, "filter \"%s\"", filter->name);
    }
    return result;
}

// ---- Source to object ---------------------------------------------------------------------------
static int explain(const char *clang, int status, const char *said, struct p2e_error *err)
{
    if (status > 128)
        return p2e_error_set(err,
                             "the rules are too large together: %s takes more than %u s or %zu MiB "
                             "for their program (signal %d); P2E_COMPILE_SECONDS allows it more "
                             "time",
                             clang, p2e_process_seconds(), P2E_PROCESS_MEMORY >> 20, status - 128);
    if (strstr(said, "BPF stack limit"))
        return p2e_error_set(err, "a rule computes with more values at once than fit into the "
                                  "kernel's stack of 512 bytes; make several rules of it");
    return p2e_error_set(err,
                         "%s does not compile the filter's program (status %d). This is a fault "
                         "of p2e, please report it with `p2e compile --keep-source`:\n%.600s",
                         clang, status, said);
}

static int run_clang(const struct p2e_program_source *source, const char *elf_path,
                     struct p2e_error *err)
{
    _cleanup_(p2e_buffer_free) struct p2e_buffer said = {0};
    const char *clang = getenv("P2E_CLANG");
    const char *argv[] = {
        clang && *clang ? clang : "clang",
        "-target",
        "bpf",
        "-mcpu=v3",
        "-O2",
        "-g",
        "-nostdinc",
        "-fbracket-depth=8192",
        "-fno-crash-diagnostics",
        "-Wall",
        "-Werror",
        "-x",
        "c",
        "-",
        "-c",
        "-o",
        elf_path,
        NULL,
    };
    int status = p2e_process_run((char *const *)argv, "install the package clang",
                                 source->text.data, source->text.size, &said, err);
    return status > 0 ? explain(argv[0], status, said.data ? said.data : "", err) : status;
}

// In memory: a process that is killed while clang runs leaves nothing. The tools inherit it, and
// reach it by the same path; clang can make no temporary file there, and does without.
int p2e_compile_object(const struct p2e_program_source *source, const char *object_path,
                       struct p2e_error *err)
{
    char elf_path[32];
    _cleanup_fd_ int elf = memfd_create("p2e-elf", 0);
    if (elf < 0)
        return p2e_error_set(err, "cannot hold a program in memory: %s", strerror(errno));
    snprintf(elf_path, sizeof(elf_path), "/proc/self/fd/%d", elf);
    if (run_clang(source, elf_path, err) < 0)
        return -1;
    return p2e_object_build(elf_path, object_path, err);
}
