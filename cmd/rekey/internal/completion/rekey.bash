# Completion of rekey in bash. In ~/.bashrc: source <(rekey completion bash)
_rekey() {
	local word help kind= current=${COMP_WORDS[COMP_CWORD]}
	COMPREPLY=()
	while IFS=$'\t' read -r word help; do
		case $word in
		:*) kind=${word#:} ;;
		*) COMPREPLY+=("$word") ;;
		esac
	done < <("$1" complete bash -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
	[[ $current == '=' ]] && current=
	case $kind in
	files | folders)
		compopt -o filenames 2>/dev/null # not in bash 3, which completes without it
		local action=-f
		[[ $kind == folders ]] && action=-d
		while IFS= read -r word; do
			COMPREPLY+=("$word")
		done < <(compgen "$action" -- "$current")
		;;
	esac
}
complete -F _rekey rekey
