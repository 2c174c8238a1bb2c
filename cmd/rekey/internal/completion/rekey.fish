# Completion of rekey in fish: rekey completion fish > ~/.config/fish/completions/rekey.fish
function __rekey_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l flag (string match -r -- '^--[^=]*=' "$current")
    set -l value (string replace -r -- '^--[^=]*=' '' "$current")
    for line in ($before[1] complete fish -- $before[2..-1] "$current" 2>/dev/null)
        switch $line
            case ':files'
                string replace -r -- '^' "$flag" (__fish_complete_path "$value")
            case ':folders'
                string replace -r -- '^' "$flag" (__fish_complete_directories "$value")
            case ':*'
            case '*'
                echo $line
        end
    end
end
complete -c rekey -f -a '(__rekey_complete)'
