#compdef rekey
# Completion of rekey in zsh. In ~/.zshrc, after compinit: source <(rekey completion zsh)
_rekey() {
	local word help kind
	local -a found
	while IFS=$'\t' read -r word help; do
		case $word in
		:*) kind=${word#:} ;;
		*) found+=("${word//:/\\:}:$help") ;;
		esac
	done < <("${words[1]}" complete zsh -- "${(@)words[2,CURRENT]}" 2>/dev/null)
	compset -P '--*='
	case $kind in
	files) _files ;;
	folders) _files -/ ;;
	words) _describe -t words rekey found ;;
	esac
}
# From a folder of $fpath this file is the function's body; else it defines the function.
if [[ ${funcstack[1]} == _rekey ]]; then
	_rekey "$@"
else
	compdef _rekey rekey
fi
