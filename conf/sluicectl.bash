# Completion of sluicectl for bash. Verbs and options are what "sluicectl help" says, so
# this cannot be out of date; names of migrations are the daemon's, if it answers at once.

_sluicectl_verbs()
{
	sluicectl help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p'
}

_sluicectl_options()
{
	echo --socket --help
	sluicectl help "$1" 2>/dev/null | sed -n 1p | grep -o -e '--[a-z]*'
}

_sluicectl_migrations()
{
	timeout 1 sluicectl "$@" status --json 2>/dev/null |
		grep -o '{"name":"[^"]*","phase"' | cut -d'"' -f4
}

_sluicectl()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local verb='' socket=() choices='' i

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--socket) socket=(--socket "${COMP_WORDS[++i]}") ;;
		-*) ;;
		*) verb=${verb:-${COMP_WORDS[i]}} ;;
		esac
	done
	case $verb:$before:$word in
	*:--socket:* | *:--config:* | validate:validate:*)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		compopt -o filenames 2>/dev/null
		return
		;;
	*:--migration:*) choices=$(_sluicectl_migrations "${socket[@]}") ;;
	*:*:-*) choices=$(_sluicectl_options "$verb") ;;
	help:help:* | :*) choices=$(_sluicectl_verbs) ;;
	db:db:*) choices=migrate ;;
	decisions:* | help:* | validate:* | db:*) ;;
	"$verb:$verb":*) choices=$(_sluicectl_migrations "${socket[@]}") ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$word")
}

complete -F _sluicectl sluicectl
