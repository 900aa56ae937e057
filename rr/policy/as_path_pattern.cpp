// The only place that sees Boost.Regex: matching keeps its state on the heap and gives up with an exception when it
// would take too long, so neither the stack nor the time of a shard is a peer's to spend.
#include "rr/policy/as_path_pattern.hpp"

// Some ten milliseconds at most.
#define BOOST_REGEX_MAX_STATE_COUNT 1000000
#include <boost/regex.hpp>

namespace helio::policy {

struct AsPathPattern::Compiled {
  boost::regex regex;
};

namespace {

// "_" spelled out, outside of bracket expressions.
std::string translate(std::string_view expression) {
  std::string out;
  bool in_brackets = false;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    char c = expression[i];
    if (c == '\\' && i + 1 < expression.size()) {
      out += c;
      out += expression[++i];
    } else if (c == '_' && !in_brackets) {
      out += "(?:^|$|[ ,{}()\\[\\]])";
    } else {
      if (c == '[') in_brackets = true;
      if (c == ']') in_brackets = false;
      out += c;
    }
  }
  return out;
}

}  // namespace

Result<AsPathPattern, std::string> AsPathPattern::parse(std::string_view expression) {
  if (expression.empty()) return Unexpected(std::string("an empty expression; \"^$\" is the empty path"));
  if (expression.size() > kMaxExpression) return Unexpected(std::string("longer than 256 characters"));
  for (char c : expression)
    if (std::string_view("0123456789^$.[](){}|*+?_-, \\").find(c) == std::string_view::npos)
      return Unexpected(std::string("'") + c + "' stands in no path");
  // A path has no letters, so neither have expressions: no back references, no look-ahead, no classes by name.
  for (std::size_t i = 0; i + 1 < expression.size(); ++i) {
    if (expression[i] == '\\' && expression[i + 1] >= '0' && expression[i + 1] <= '9') return Unexpected(std::string("no back references"));
    if (expression[i] == '(' && expression[i + 1] == '?') return Unexpected(std::string("\"(?\" is not for paths"));
  }
  try {
    AsPathPattern out;
    out.compiled_ = std::make_shared<const Compiled>(Compiled{boost::regex(translate(expression), boost::regex::perl | boost::regex::nosubs)});
    return out;
  } catch (const boost::regex_error& error) {
    return Unexpected(std::string(error.what()));
  }
}

std::optional<bool> AsPathPattern::matches(std::string_view path) const {
  if (path.size() > kMaxText) return std::nullopt;
  try {
    return boost::regex_search(path.begin(), path.end(), compiled_->regex);
  } catch (const std::runtime_error&) {
    return std::nullopt;
  }
}

}  // namespace helio::policy
