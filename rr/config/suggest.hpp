// "did you mean": the nearest of the words that would have been right.
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace helio::config {

// The candidate closest to `word`, or empty when none is close. Case, '_' for '-' and a plural s cost nothing or little.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);
// "did you mean \"x\"?" or, when nothing is near, "one of: a, b, c".
std::string suggestion(std::string_view word, std::span<const std::string_view> candidates);
// What other route reflectors call a thing, and what it is called here; empty when unknown.
std::string_view foreign_word(std::string_view key);

}  // namespace helio::config
