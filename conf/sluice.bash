# Completion for sluice: source it, or install it as bash-completion's "sluice".
_sluice()
{
	local word=${COMP_WORDS[COMP_CWORD]}

	case ${COMP_WORDS[COMP_CWORD - 1]} in
	-c | --config | -t | --check | -p | --print)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		;;
	*)
		mapfile -t COMPREPLY < <(compgen -W \
			"--config --check --print --version --help" -- "$word")
		;;
	esac
}
complete -o filenames -F _sluice sluice
