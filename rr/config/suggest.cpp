#include "rr/config/suggest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <vector>

namespace helio::config {
namespace {

std::string normalized(std::string_view word) {
  std::string out(word);
  for (char& c : out) c = c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// Edit distance with transpositions of neighbours as one edit.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

struct ForeignWord {
  std::string_view theirs;
  std::string_view hint;
};
constexpr ForeignWord kForeignWords[] = {
    {"io-threads", "[runtime] shards alone sets the threads"},
    {"remote-as", "here: peer-as, in the peer group"},
    {"route-reflector-client", "here: role = \"client\" or \"non-client\", in the peer group"},
    {"afi-safis", "here: families"},
    {"afi-safi", "here: families"},
    {"default-membership", "here: [rt-constrain] advertise"},
    {"dynamic-neighbors", "here: [[listen-ranges]]"},
    {"ttl-security", "here: ttl-min"},
    {"ebgp-multihop", "here: multihop"},
    {"update-source", "here: local-address"},
    {"password", "secrets are kept in files: auth-password-file"},
    {"auth-password", "secrets are kept in files: auth-password-file"},
    {"maximum-prefix", "here: prefix-limits"},
    {"update-delay", "here: [timers] initial-sync"},
    {"ssl-certificate", "metrics are plain HTTP; put a TLS reverse proxy in front"},
    {"tls", "metrics are plain HTTP; put a TLS reverse proxy in front"},
};

}  // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  if (word.size() > 64) return {};
  std::string wanted = normalized(word);
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, std::min<std::size_t>(3, wanted.size() / 3)) + 1;
  for (std::string_view candidate : candidates) {
    std::size_t d = distance(wanted, normalized(candidate));
    if (d < best_distance) {
      best = candidate;
      best_distance = d;
    }
  }
  return best;
}

std::string suggestion(std::string_view word, std::span<const std::string_view> candidates) {
  if (auto near = nearest(word, candidates); !near.empty()) return fmt::format("did you mean \"{}\"?", near);
  if (candidates.empty()) return {};
  return fmt::format("one of: {}", fmt::join(candidates, ", "));
}

std::string_view foreign_word(std::string_view key) {
  std::string wanted = normalized(key);
  for (const ForeignWord& word : kForeignWords)
    if (word.theirs == wanted) return word.hint;
  return {};
}

}  // namespace helio::config
