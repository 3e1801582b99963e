#!/bin/sh
# Prints the C file behind compiler/unicode.h: unicode.sh FOLDER
#
# FOLDER holds the Unicode Character Database (Debian's unicode-data).
set -eu
folder=$1

# shellcheck disable=SC2016 # awk's dollars
hex='function hex(text,    value, i) {
    value = 0
    for (i = 1; i <= length(text); i++)
        value = value * 16 + index("0123456789ABCDEF", substr(text, i, 1)) - 1
    return value
}'

# From lines "FIRST LAST GROUP", ascending within a group, the groups and their table NAME.
# shellcheck disable=SC2016
groups='
function add(group, first, last) {
    if (!(group in count)) {
        names[++group_count] = group
        count[group] = 0
    }
    if (count[group] > 0 && end[group] + 1 == first) {
        end[group] = last
        return
    }
    close_range(group)
    begin[group] = first
    end[group] = last
    count[group]++
}
function close_range(group) {
    if (count[group] > 0)
        text[group] = text[group] sprintf("    {%d, %d},\n", begin[group], end[group])
}
{ add($3, hex($1), hex($2)) }
END {
    for (i = 1; i <= group_count; i++) {
        close_range(names[i])
        printf "static const struct p2e_unicode_range %s_%s[] = {\n%s};\n\n", name, names[i],
            text[names[i]]
    }
    printf "const struct p2e_unicode_group p2e_unicode_%s[] = {\n", table
    for (i = 1; i <= group_count; i++)
        printf "    {\"%s\", %s_%s, %d},\n", names[i], name, names[i], count[names[i]]
    printf "};\nconst size_t p2e_unicode_%s_count = %d;\n\n", name, group_count
}'

# shellcheck disable=SC2016
folds='
{
    code = hex($1)
    target = hex($3)
    if (!(target in members))
        members[target] = target
    members[target] = members[target] " " code
}
END {
    for (target in members) {
        count = split(members[target], member, " ")
        for (i = 1; i <= count; i++)
            print member[i], member[i % count + 1]
    }
}'

printf '#include "compiler/unicode.h"\n\n'
# A line for each character; two for a block, whose names end in "First>" and "Last>".
awk -F';' '
    $2 ~ /, First>$/ { first = $1; next }
    $2 ~ /, Last>$/ { print first, $1, $3; next }
    { print $1, $1, $3 }' "$folder/UnicodeData.txt" |
    awk -v name=category -v table=categories "$hex$groups"
sed -E -n 's/^([0-9A-F]+)(\.\.([0-9A-F]+))? *; (\w+) .*/\1 \3 \4/p' "$folder/Scripts.txt" |
    awk 'NF == 2 { print $1, $1, $2; next } { print }' |
    awk -v name=script -v table=scripts "$hex$groups"
printf 'const struct p2e_unicode_fold p2e_unicode_folds[] = {\n'
awk -F'; ' '$2 == "C" || $2 == "S" { print $1, $2, $3 }' "$folder/CaseFolding.txt" |
    awk "$hex$folds" | sort -n | sed -E 's/([0-9]+) ([0-9]+)/    {\1, \2},/'
printf '};\nconst size_t p2e_unicode_fold_count = sizeof(p2e_unicode_folds) / sizeof(*p2e_unicode_folds);\n'
