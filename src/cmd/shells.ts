/**
 * Completion scripts by the name of their shell.
 *
 * They know no command: each asks the program that is on the line, `nunet __complete <words…>`, so that they fit every
 * version of it. The last word is being written.
 */
export const COMPLETION_SCRIPTS: Readonly<Record<string, string>> = {
  // bash cuts words at = and : too; they are put together again, and what bash will not replace is cut off the answers.
  bash: script(String.raw`# bash completion for nunet; printed by: nunet completion bash
_nunet() {
    local rest=@{COMP_LINE:0:COMP_POINT} i gap word program
    local -a words=()
    COMPREPLY=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        gap=@{rest%%[![:space:]]*}
        rest=@{rest#"$gap"}
        word=@{COMP_WORDS[i]}
        ((i < COMP_CWORD)) || word=$rest
        rest=@{rest#"$word"}
        if [[ -z $gap && @{#words[@]} -gt 0 ]]; then
            words[@{#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
    done
    local current=@{words[@{#words[@]}-1]} piece=$word
    [[ $piece == [=:] ]] && piece=
    local prefix=@{current%"$piece"}
    program=@{words[0]/#\~/$HOME}
    local line
    while IFS= read -r line; do
        case $line in
            :files)
                compopt -o filenames 2>/dev/null
                mapfile -t COMPREPLY < <(compgen -f -- "$piece")
                ;;
            :directories)
                compopt -o filenames 2>/dev/null
                mapfile -t COMPREPLY < <(compgen -d -- "$piece")
                ;;
            :*) ;;
            *)
                word=@{line%%$'\t'*}
                COMPREPLY+=("@{word#"$prefix"}")
                ;;
        esac
    done < <("$program" __complete "@{words[@]:1}" 2>/dev/null </dev/null)
}
complete -F _nunet nunet
`),
  zsh: script(String.raw`#compdef nunet
# zsh completion for nunet; printed by: nunet completion zsh
_nunet() {
    local line
    local -a described
    for line in "@{(@f)$("@{words[1]/#\~/$HOME}" __complete "@{(@)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null </dev/null)}"; do
        case $line in
            :files|:directories)
                [[ $PREFIX == --*=* ]] && compset -P 1 '*='
                if [[ $line == :files ]]; then _files; else _files -/; fi
                return
                ;;
            :*|'') ;;
            *) described+=("@{@{line%%$'\t'*}//:/\\:}:@{line#*$'\t'}") ;;
        esac
    done
    _describe -t nunet nunet described
}
if [[ @{funcstack[1]} == _nunet ]]; then
    _nunet "$@"
else
    compdef _nunet nunet
fi
`),
  fish: script(`# fish completion for nunet; printed by: nunet completion fish
function __nunet_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    for line in ($program __complete $words "$current" 2>/dev/null </dev/null)
        switch $line
            case :files
                __fish_complete_path "$current"
            case :directories
                __fish_complete_directories "$current" directory
            case ':*'
            case '*'
                echo $line
        end
    end
end
complete -c nunet -f -a '(__nunet_complete)'
`)
}

/** `@{` stands for the shell's `${`, which a template cannot hold. */
function script(text: string): string {
  return text.replaceAll('@{', '${')
}
