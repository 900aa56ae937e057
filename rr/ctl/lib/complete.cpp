#include "rr/ctl/lib/complete.hpp"

#include <boost/json.hpp>
#include <set>

#include "rr/ctl/lib/json_fields.hpp"

namespace helio::ctl {
namespace {

namespace json = boost::json;

// Colons separate nothing here: RDs, route targets and IPv6 addresses have them.
constexpr std::string_view kBash = R"(# bash completion for helioctl; helioctl completion bash > /etc/bash_completion.d/helioctl
COMP_WORDBREAKS=${COMP_WORDBREAKS//:/}
_helioctl() {
  local IFS=$'\n' lines
  lines=($(helioctl completion words "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  if [[ ${lines[0]} == @files ]]; then
    COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
  else
    COMPREPLY=("${lines[@]%%$'\t'*}")
  fi
}
complete -F _helioctl helioctl
)";
constexpr std::string_view kZsh = R"(#compdef helioctl
# zsh completion for helioctl; helioctl completion zsh > a folder of $fpath, as _helioctl
_helioctl() {
  local -a lines
  lines=("${(@f)$(helioctl completion words "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ ${lines[1]} == @files ]]; then
    _files
  else
    compadd -- "${(@)lines%%$'\t'*}"
  fi
}
compdef _helioctl helioctl
)";
constexpr std::string_view kFish = R"(# fish completion for helioctl; helioctl completion fish > ~/.config/fish/completions/helioctl.fish
function __helioctl_words
  set -l lines (helioctl completion words (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)
  if test "$lines[1]" = @files
    __fish_complete_path (commandline -ct)
  else
    printf '%s\n' $lines
  end
end
complete -c helioctl -f -a '(__helioctl_words)'
)";

void add_values(Completion& completion, std::string_view current, Client& client) {
  auto add = [&](const char* path, std::string_view items, std::string_view key, std::string_view help) {
    auto answer = client.ask("GET", path);
    if (!answer || answer->status != 200) return;
    json::error_code error;
    json::value value = json::parse(answer->body, error);
    if (error) return;
    std::set<std::string> seen;
    for (const json::value& item : list(value, items)) {
      std::string word = text(item, key);
      if (word.starts_with(current) && seen.insert(word).second) completion.words.push_back({word, help.empty() ? "" : text(item, help)});
    }
  };
  switch (completion.values) {
    case Completion::Values::peers: return add("/v1/peers", "peers", "address", "description");
    case Completion::Values::groups: return add("/v1/peers", "peers", "group", "");
    case Completion::Values::rds: return add("/v1/rd", "rds", "rd", "family");
    case Completion::Values::route_targets: return add("/v1/rt", "route_targets", "route_target", "");
    default: return;
  }
}

}  // namespace

std::string completion_script(std::string_view shell) { return std::string(shell == "bash" ? kBash : shell == "zsh" ? kZsh : kFish); }

std::string completion_lines(const std::vector<std::string>& words, Client& client) {
  Completion completion = complete(words);
  if (completion.values == Completion::Values::files) return "@files\n";
  add_values(completion, words.empty() ? std::string_view() : std::string_view(words.back()), client);
  std::string out;
  for (const Completion::Word& word : completion.words) out += word.help.empty() ? word.word + "\n" : word.word + "\t" + word.help + "\n";
  return out;
}

}  // namespace helio::ctl
