// Shell completion: scripts for bash, zsh and fish that ask helioctl itself, and its answers, from the very table that the
// command line is parsed by.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rr/ctl/lib/client.hpp"

namespace helio::ctl {

// What may stand for the last word.
struct Completion {
  enum class Values : std::uint8_t { none, peers, rds, route_targets, groups, files };
  struct Word {
    std::string word, help;
  };
  std::vector<Word> words;        // that begin with the last word
  Values values = Values::none;   // what else: values that the daemon knows
  std::string socket;             // given among the words; empty: not
};
// `words`: behind "helioctl", the last one is the one to complete and may be empty. In command.cpp.
Completion complete(const std::vector<std::string>& words);

// The script for a shell: "bash", "zsh", "fish".
std::string completion_script(std::string_view shell);

// A line per candidate, "word" or "word<TAB>help"; the daemon is asked for values, and silent when it does not answer.
// "@files" alone: names of files.
std::string completion_lines(const std::vector<std::string>& words, Client& client);

}  // namespace helio::ctl
