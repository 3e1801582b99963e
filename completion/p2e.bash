# Completion for p2e in bash. Verbs, options and what their values are come from `p2e help` and
# `p2e VERB --help`; filter names from the configuration.

# A verb's options, a line each: "-c, --config FILE", "--json".
_p2e_options() {
    "$1" "$2" --help 2>/dev/null </dev/null |
        sed -n 's/^ \{2,6\}\(-[A-Za-z], \)\{0,1\}\(--[a-z-]*\)\( [^ ]\{1,\}\)\{0,1\}  .*/\1\2\3/p'
}

# What stands for the value of option $2 in the lines $1: "FILE"; nothing when it has none.
_p2e_value() {
    local first second value
    while read -r first second value; do
        case $first in
        -?,) [[ ${first%,} == "$2" || $second == "$2" ]] && echo "$value" ;;
        *) [[ $first == "$2" ]] && echo "$second" ;;
        esac
    done <<<"$1"
}

# The configuration that the command line names, as arguments.
_p2e_config() {
    local i
    for ((i = 2; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -c | --config) printf '%s\n' -c "${COMP_WORDS[i + 1]/#\~\//$HOME/}" ;;
        esac
    done
}

_p2e_filters() {
    local config
    mapfile -t config < <(_p2e_config)
    "$1" status --json "${config[@]}" 2>/dev/null </dev/null | sed -n 's/,\{0,1\}{"filter":/\n&/gp' |
        sed -n 's/^,\{0,1\}{"filter":"\([A-Za-z0-9_-]*\)".*/\1/p'
}

_p2e_complete() {
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen "$@")
}

# Values by the word that stands for them in the help.
_p2e_complete_value() {
    case $2 in
    FILE) compopt -o filenames && _p2e_complete -f -- "$3" ;;
    DIR) compopt -o filenames && _p2e_complete -d -- "$3" ;;
    NAME) _p2e_complete -W "$(_p2e_filters "$1")" -- "$3" ;;
    PID) _p2e_complete -W "$(cd /proc && echo [0-9]*)" -- "$3" ;;
    [a-z]*) _p2e_complete -W "${2//|/ }" -- "$3" ;;
    esac
}

# The word of the command that `p2e run` runs, 0 when there is none yet.
_p2e_command_word() {
    local i
    for ((i = 2; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -c | --config) ((i++)) ;;
        --) echo $((i + 1)) && return ;;
        -*) ;;
        *) echo "$i" && return ;;
        esac
    done
    echo 0
}

_p2e_complete_run() {
    local word
    word=$(_p2e_command_word)
    if ((word == 0 || word == COMP_CWORD)); then
        _p2e_complete -c -- "$1"
    elif declare -F _command_offset >/dev/null; then
        _command_offset "$word"
    else
        compopt -o filenames && _p2e_complete -f -- "$1"
    fi
}

_p2e() {
    local command=$1 current=$2 previous=$3 verb=${COMP_WORDS[1]} options values
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        _p2e_complete -W "$("$command" help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p') help --version" \
            -- "$current"
        return
    fi
    if [[ $verb == run && $(_p2e_command_word) != 0 ]]; then
        _p2e_complete_run "$current"
        return
    fi
    options=$(_p2e_options "$command" "$verb")
    values=$(_p2e_value "$options" "$previous")
    if [[ $values ]]; then
        _p2e_complete_value "$command" "${values//$'\n'/|}" "$current"
    elif [[ $current == -* ]]; then
        _p2e_complete -W "$(tr ' ' '\n' <<<"$options" | sed -n 's/^\(--[a-z-]*\)$/\1/p')" -- "$current"
    elif [[ $verb == run ]]; then
        _p2e_complete_run "$current"
    elif "$command" "$verb" --help 2>/dev/null </dev/null | head -n 1 | grep -q FILTER; then
        _p2e_complete -W "$(_p2e_filters "$command")" -- "$current"
    fi
}

complete -F _p2e p2e
