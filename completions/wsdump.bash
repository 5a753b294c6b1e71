# Completion of wsdump for bash, made by `wsdump --completion bash`.
# To use it: eval "$(wsdump --completion bash)" in ~/.bashrc
_wsdump() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    local word words kind=-W
    # For readline --option=value are three words.
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = && COMP_CWORD -gt 1 ]]; then
        prev=${COMP_WORDS[COMP_CWORD-2]}
    fi
    COMPREPLY=()
    case $prev in
        --ca|--cert|--key|--unix|--record|--replay)
            compopt -o filenames 2>/dev/null
            kind=-f words= ;;
        --completion) words='bash zsh fish' ;;
        -p|--proxy|-s|--subprotocols|-o|--origin|--eof-wait|-t|--text|--headers|--header|--auth|--cookie|--pin|--address|--timeout|--ping-interval|--count|--wait)
            return ;;  # only the user knows
        *)
            case $cur in
                -*) words='-h --help -p --proxy -v --verbose -n --nocert -r --raw -s --subprotocols -o --origin --eof-wait -t --text --timings --headers --header --auth --cookie --ca --cert --key --pin --unix --address --timeout --compression --ping-interval --reconnect --binary --json --count --wait --record --replay --stats --listen --doctor --completion --man' ;;
                *) words='ws:// wss://'
                    compopt -o nospace 2>/dev/null ;;
            esac ;;
    esac
    while IFS= read -r word; do
        COMPREPLY+=("$word")
    done < <(if [[ $kind == -f ]]; then
        compgen -f -- "$cur"
    else
        compgen -W "$words" -- "$cur"
    fi)
}
complete -F _wsdump wsdump
