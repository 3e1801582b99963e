#!/bin/sh
# Prints the tables of base/width.c: width.sh FOLDER
#
# FOLDER holds the Unicode Character Database (Debian's unicode-data).
set -eu
folder=$1

# From lines "FIRST LAST", ascending, the table NAME.
# shellcheck disable=SC2016 # awk's dollars
table='
function hex(text,    value, i) {
    value = 0
    for (i = 1; i <= length(text); i++)
        value = value * 16 + index("0123456789ABCDEF", substr(text, i, 1)) - 1
    return value
}
function close_range() {
    if (count > 0)
        printf "    {%d, %d},\n", begin, end
}
BEGIN { printf "static const struct range %s[] = {\n", name }
count > 0 && hex($1) == end + 1 { end = hex($2); next }
{ close_range(); begin = hex($1); end = hex($2); count++ }
END { close_range(); print "};" }'

# Marks that go onto the character before, what only directs, and vowels and ends of Hangul syllables.
awk -F';' '$3 ~ /^(Mn|Me|Cf)$/ || (length($1) == 4 && $1 >= "1160" && $1 <= "11FF") { print $1, $1 }' \
    "$folder/UnicodeData.txt" | awk -v name=without_width "$table"
sed -E -n 's/^([0-9A-F]+)(\.\.([0-9A-F]+))? *; *[WF]( .*)?$/\1 \3/p' "$folder/EastAsianWidth.txt" |
    awk '{ print $1, NF == 2 ? $2 : $1 }' | awk -v name=wide "$table"
