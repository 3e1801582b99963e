#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/build.h"
#include "base/cleanup.h"
#include "cli/choice.h"
#include "cli/common.h"
#include "cli/json.h"

struct settings {
    struct p2e_choice choice;
    bool json;
};

// A filter taken apart: the plan of the rules that are taken, and why the others are not.
struct explanation {
    const struct p2e_filter *filter;
    struct p2e_schema schema;
    struct p2e_plan plan;
    // Of the program; 0 where it cannot be loaded here.
    uint32_t instructions, verified;
};

static void explanation_free(struct explanation *x)
{
    p2e_plan_free(&x->plan);
    p2e_schema_free(&x->schema);
}

static const struct p2e_rules *rules_of(const struct explanation *x)
{
    return &x->plan.rules;
}

// ---- Taking apart -------------------------------------------------------------------------------
static bool is_refused(const struct explanation *x, const char *id)
{
    for (size_t i = 0; i < rules_of(x)->refusal_count; i++) {
        if (!strcmp(rules_of(x)->refusals[i].id, id))
            return true;
    }
    return false;
}

// The filter without the rules of its own that are refused.
static int find_taken(const struct explanation *x, struct p2e_filter *taken, struct p2e_error *err)
{
    const struct p2e_filter *filter = x->filter;
    *taken = *filter;
    taken->rule_count = 0;
    taken->rules = calloc(filter->rule_count + 1, sizeof(*taken->rules));
    if (!taken->rules)
        return p2e_error_set(err, "out of memory");
    for (size_t i = 0; i < filter->rule_count; i++) {
        if (!is_refused(x, filter->rules[i].id))
            taken->rules[taken->rule_count++] = filter->rules[i];
    }
    return 0;
}

// Are rules of the schema refused? Without them the filter cannot be compiled.
static bool lacks_annotations(const struct explanation *x, const struct p2e_filter *taken)
{
    return x->filter->rule_count - taken->rule_count < rules_of(x)->refusal_count;
}

static int measure(struct explanation *x, const struct p2e_filter *taken, struct p2e_error *err)
{
    struct p2e_object object;
    struct p2e_options options;
    struct p2e_handles handles;
    if (p2e_missing_capabilities() || lacks_annotations(x, taken))
        return 0;
    if (p2e_build_open(NULL, taken, &object, err) < 0)
        return -1;
    p2e_options_for(taken->transport, taken->mode, &options);
    int result = p2e_object_load(&object, &options, NULL, &handles, err);
    p2e_object_close(&object);
    if (result < 0)
        return -1;
    result = p2e_program_size(handles.judge, &x->instructions, &x->verified);
    p2e_handles_close(&handles);
    return result < 0 ? p2e_error_set(err, "the kernel does not tell the program's size") : 0;
}

static int take_apart(struct explanation *x, struct p2e_error *err)
{
    struct p2e_filter taken;
    if (p2e_compile_plan(x->filter, true, &x->schema, &x->plan, err) < 0)
        return -1;
    int result = find_taken(x, &taken, err);
    if (result == 0)
        result = measure(x, &taken, err);
    free(taken.rules);
    return result;
}

// ---- Words --------------------------------------------------------------------------------------
static void print_path(const struct p2e_plan *plan, const struct p2e_place *place)
{
    const struct p2e_use *use = place->element ? place->owner : place->parent;
    if (!use)
        return;
    print_path(plan, use->place);
    p2e_put(stdout, use->field->name, 0);
    printf("%s.", use->field->repeated ? "[]" : "");
}

static const char *memory_of(const struct p2e_use *use)
{
    if (use->field->repeated && use->set_slot)
        return use->field->map ? "how many, its keys" : "how many, its values";
    if (use->field->repeated)
        return "how many";
    if (use->value)
        return use->field->presence == P2E_PRESENCE_IMPLICIT
                   ? "the last value"
                   : "the last value, and whether it is set";
    return "whether it is set";
}

static void print_use(const struct p2e_plan *plan, const struct p2e_use *use)
{
    char name[256];
    struct p2e_cel_type type = p2e_cel_type_of_field(use->field);
    printf("  ");
    print_path(plan, use->place);
    p2e_put(stdout, use->field->name, 0);
    printf(" (");
    p2e_put(stdout, p2e_cel_type_name(&type, name, sizeof(name)), 0);
    printf("): %s", memory_of(use));
    if (use->test_count)
        printf("; what %zu condition%s of its elements", use->test_count,
               use->test_count == 1 ? " says" : "s say");
    if (use->elements)
        printf("; a rule that one of its elements broke");
    printf("\n");
}

static void print_memory(const struct p2e_plan *plan)
{
    printf("remembers, in %u slots\n", plan->slot_count - 1);
    for (size_t i = 0; i < plan->place_count; i++) {
        const struct p2e_place *place = plan->places[i];
        for (size_t k = 0; k < place->use_count; k++)
            print_use(plan, place->uses[k]);
        for (size_t k = 0; k < place->message->oneof_count; k++) {
            if (!place->oneof_slots[k])
                continue;
            printf("  ");
            print_path(plan, place);
            p2e_put(stdout, place->message->oneofs[k].name, 0);
            printf(" (oneof): which member is set\n");
        }
    }
}

static void print_indented(const char *text)
{
    for (const char *line = text; *line;) {
        size_t size = strcspn(line, "\n");
        printf("      %.*s\n", (int)size, line);
        line += size + (line[size] == '\n');
    }
}

static void print_rule(const char *id, const char *expression)
{
    printf("  ");
    p2e_put(stdout, id, 0);
    printf(": ");
    p2e_put(stdout, expression, 0);
    putchar('\n');
}

static size_t count_taken(const struct p2e_rules *rules)
{
    size_t count = 0;
    for (size_t i = 0; i < rules->count; i++)
        count += !rules->rules[i].refused;
    return count;
}

static void print_rules(const struct explanation *x)
{
    const struct p2e_rules *rules = rules_of(x);
    if (count_taken(rules))
        printf("judges, when the message or its element ends\n");
    for (size_t i = 0; i < rules->count; i++) {
        if (!rules->rules[i].refused)
            print_rule(rules->rules[i].id, P2E_RULE_SHOWN(&rules->rules[i]));
    }
    if (rules->refusal_count)
        printf("refuses\n");
    for (size_t i = 0; i < rules->refusal_count; i++) {
        print_rule(rules->refusals[i].id, rules->refusals[i].expression);
        print_indented(rules->refusals[i].why.text);
    }
}

static void print_text(const struct explanation *x)
{
    const struct p2e_plan *plan = &x->plan;
    printf("message ");
    p2e_put(stdout, plan->message->full_name, 0);
    printf("\n\nwalks\n  %zu fields by name; submessages nest up to %u deep; all others are "
           "skipped\n",
           plan->field_count, plan->max_depth);
    if (plan->slot_count > 1)
        print_memory(plan);
    print_rules(x);
    if (x->instructions)
        printf("program\n  %u instructions; the verifier looked at %u\n", x->instructions,
               x->verified);
    else if (p2e_missing_capabilities())
        printf("program\n  not loaded here: that needs %s\n", p2e_missing_capabilities());
    else
        printf("program\n  none, as long as a rule of the schema is refused; with annotations = "
               "\"ignore\" the filter is without all of these\n");
}

// ---- JSON ---------------------------------------------------------------------------------------
static void print_row(size_t row, const char *id, const char *expression, const char *refused)
{
    p2e_json_row(row);
    printf("{");
    p2e_json_text("id", id, true);
    p2e_json_text("expression", expression, false);
    if (refused)
        p2e_json_text("refused", refused, false);
    printf("}");
}

static void print_json(const struct explanation *x)
{
    printf("{");
    p2e_json_text("message", x->plan.message->full_name, true);
    printf(",\"fields\":%zu,\"max_depth\":%u,\"slots\":%u", x->plan.field_count, x->plan.max_depth,
           x->plan.slot_count - 1);
    if (x->instructions)
        printf(",\"instructions\":%u,\"verified\":%u", x->instructions, x->verified);
    printf(",\"rules\":");
    size_t rows = 0;
    for (size_t i = 0; i < rules_of(x)->count; i++) {
        const struct p2e_plan_rule *rule = &rules_of(x)->rules[i];
        if (!rule->refused)
            print_row(rows++, rule->id, P2E_RULE_SHOWN(rule), NULL);
    }
    for (size_t i = 0; i < rules_of(x)->refusal_count; i++) {
        const struct p2e_refusal *refusal = &rules_of(x)->refusals[i];
        print_row(rows++, refusal->id, refusal->expression, refusal->why.text);
    }
    p2e_json_end(rows);
    printf("}\n");
}

// ---- Verb ---------------------------------------------------------------------------------------
static int explain_filter(void *context, const char *folder, const struct p2e_filter *filter,
                          struct p2e_error *err)
{
    const struct settings *s = context;
    _cleanup_(explanation_free) struct explanation x = {.filter = filter};
    (void)folder;
    if (take_apart(&x, err) < 0)
        return -1;
    if (s->json)
        print_json(&x);
    else
        print_text(&x);
    return rules_of(&x)->refusal_count ? 1 : 0;
}

static int run(const struct p2e_command *command, int argc, char **argv)
{
    struct settings s = {0};
    struct p2e_error err;
    const struct p2e_option options[] = {
        P2E_CHOICE_OPTIONS(&s.choice){.name = "json", .flag = &s.json},
        {0},
    };
    int status = p2e_parse_options(command, argc, argv, options, NULL);
    if (status < 0)
        status = p2e_choice_check(command, &s.choice);
    if (status < 0) {
        status = p2e_choice_open(&s.choice, explain_filter, &s, &err);
        status = status < 0 ? p2e_fail(command, &err) : status;
    }
    p2e_choice_free(&s.choice);
    return status;
}

const struct p2e_command p2e_explain_command = {
    .name = "explain",
    .usage = P2E_CHOICE_USAGE "[--max-depth N] [--json]",
    .summary = "tell in words what a filter walks, remembers and judges",
    .help =
        "Prints the plan of a filter: the fields that are walked, what is remembered of them, "
        "what\n"
        "is judged when, which rules are refused and why, and the size of the program (where the\n"
        "privilege to load it is there).\n\n" P2E_CHOICE_HELP
        "      --json           the same as JSON; \"instructions\" and \"verified\" where it was "
        "loaded\n"
        "      --help           this text\n\n"
        "Exits with 1 if a rule is refused.\n",
    .run = run,
};
