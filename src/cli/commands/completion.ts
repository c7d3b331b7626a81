import { Argument, type Command } from 'commander';
import { EXIT, type ExitCode } from '../exit-codes.ts';

/** Asks `slipway complete-words` what fits; where nothing is known of what belongs there, files. */
const SCRIPTS = {
  bash: `# bash completion of slipway: add to ~/.bashrc
#   source <(slipway completion bash)
_slipway() {
  local word
  COMPREPLY=()
  while IFS= read -r word; do
    [ -n "$word" ] && COMPREPLY+=("$(printf '%q' "$word")")
  done < <("\${COMP_WORDS[0]}" complete-words -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o bashdefault -o default -F _slipway slipway
`,
  zsh: `#compdef slipway
# zsh completion of slipway: add to ~/.zshrc, after compinit
#   source <(slipway completion zsh)
_slipway() {
  local -a found
  found=("\${(@f)$("\${words[1]}" complete-words -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[1]}" ]]; then
    compadd -a found
  else
    _files
  fi
}
if [[ "\${funcstack[1]}" == _slipway ]]; then
  _slipway "$@"
else
  compdef _slipway slipway
fi
`,
  fish: `# fish completion of slipway:
#   slipway completion fish > ~/.config/fish/completions/slipway.fish
function __slipway_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l found ($before[1] complete-words -- $before[2..-1] "$current" 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path "$current"
    end
end
complete -c slipway -f -a '(__slipway_complete)'
`,
} as const;

/** `slipway completion`; what its scripts ask is answered by `work/completions.ts`. */
export function addCompletionCommand(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('completion')
    .description('completion for the shell: commands, flags, sources, destinations, batches')
    .addArgument(new Argument('<shell>', 'whose script is printed').choices(Object.keys(SCRIPTS)))
    .addHelpText(
      'after',
      '\nExamples:\n  source <(slipway completion bash)\n  source <(slipway completion zsh)\n  slipway completion fish > ~/.config/fish/completions/slipway.fish\n',
    )
    .action((shell: keyof typeof SCRIPTS) => {
      process.stdout.write(SCRIPTS[shell]);
      done(EXIT.ok);
    });
}
