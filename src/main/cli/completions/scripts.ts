/**
 * What a shell runs at a Tab. Each script hands over the words up to the cursor, the last of them unfinished, and gets
 * lines: `VALUE<Tab>what it is`, or the one word `:files` or `:folders`, which the shell completes itself.
 */

export const shells = ["bash", "zsh", "fish"]

/** bash parts words at `:` and `=`: what belongs together is told by the blanks between, and by what it replaces. */
const bash = `_rbee() {
  local rest="\${COMP_LINE:0:COMP_POINT}" blanks word i last=-1 cur line kept
  local -a words=() found=()
  for ((i = 0; i <= COMP_CWORD; i++)); do
    blanks="\${rest%%[![:space:]]*}"
    rest="\${rest#"$blanks"}"
    word="\${COMP_WORDS[i]}"
    ((i == COMP_CWORD)) && word="$rest"
    rest="\${rest#"$word"}"
    if ((i > 0)) && [[ -z "$blanks" && $last -ge 0 ]]; then words[last]+="$word"; else words[++last]="$word"; fi
  done
  cur="\${words[last]}"
  kept=""
  [[ "$COMP_WORDBREAKS" == *:* && "$cur" == *:* ]] && kept="\${cur%"\${cur##*:}"}"
  [[ "$COMP_WORDBREAKS" == *=* && "\${cur#"$kept"}" == *=* ]] && kept="\${cur%"\${cur##*=}"}"
  while IFS= read -r line; do found+=("$line"); done < <(command rbee __complete "\${words[@]:1}" 2>/dev/null)
  COMPREPLY=()
  for line in "\${found[@]}"; do
    case "$line" in
      :files) compopt -o filenames 2>/dev/null; while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "\${cur#"$kept"}") ;;
      :folders) compopt -o filenames 2>/dev/null; while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -d -- "\${cur#"$kept"}") ;;
      *)
        line="\${line%%$'\\t'*}"
        printf -v line '%q' "\${line#"$kept"}"
        COMPREPLY+=("$line")
        ;;
    esac
  done
  # behind these something follows at once
  [[ \${#COMPREPLY[@]} -eq 1 && "\${COMPREPLY[0]}" == *[=/] ]] && compopt -o nospace 2>/dev/null
  return 0
}
complete -F _rbee rbee rbee-keeper
`

const zsh = `#compdef rbee rbee-keeper
_rbee() {
  local line value
  local -a lines values shown
  lines=("\${(@f)$(command rbee __complete "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" 2>/dev/null)}")
  for line in $lines; do
    case "$line" in
      :files) _files; return ;;
      :folders) _files -/; return ;;
      *)
        value="\${line%%$'\\t'*}"
        values+=("$value")
        if [[ "$line" == *$'\\t'* ]]; then shown+=("$value  -- \${line#*$'\\t'}"); else shown+=("$value"); fi
        ;;
    esac
  done
  (( \${#values} )) || return 1
  compadd -l -d shown -a values
}
if [[ "\${funcstack[1]}" == _rbee ]]; then
  _rbee "$@"
else
  (( \${+functions[compdef]} )) || { autoload -Uz compinit && compinit; }
  compdef _rbee rbee rbee-keeper
fi
`

const fish = `function __rbee_complete
  set -l words (commandline -opc)
  set -l cur (commandline -ct)
  for line in (command rbee __complete $words[2..-1] "$cur" 2>/dev/null)
    switch $line
      case ':files'
        __fish_complete_path $cur
      case ':folders'
        __fish_complete_directories $cur
      case '*'
        echo $line
    end
  end
end
complete -c rbee -f -a '(__rbee_complete)'
complete -c rbee-keeper -f -a '(__rbee_complete)'
`

export const scripts: Readonly<Record<string, string>> = { bash, sh: bash, zsh, fish }
