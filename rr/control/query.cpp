#include "rr/control/query.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "rr/config/suggest.hpp"

namespace helio::control {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// RFC 3986 §2.1; '+' is itself. nullopt: a '%' without two hex digits, or a control character.
std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high << 4 | low);
      i += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return std::nullopt;
    out.push_back(c);
  }
  return out;
}

}  // namespace

const std::string* Target::find(std::string_view name) const {
  auto found = std::ranges::find(parameters, name, &Parameter::name);
  return found == parameters.end() ? nullptr : &found->value;
}

Result<Target, ApiProblem> parse_target(std::string_view text) {
  auto bad = [](std::string message) { return Unexpected(ApiProblem{400, "bad_request", std::move(message), {}}); };
  Target target;
  std::size_t question = std::min(text.find('?'), text.size());
  auto path = percent_decode(text.substr(0, question));
  if (!path || !path->starts_with('/')) return bad("the path is not valid");
  target.path = std::move(*path);
  std::string_view rest = text.substr(std::min(question + 1, text.size()));
  while (!rest.empty()) {
    std::size_t end = std::min(rest.find('&'), rest.size());
    std::string_view item = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (item.empty()) continue;
    std::size_t equals = std::min(item.find('='), item.size());
    auto name = percent_decode(item.substr(0, equals));
    auto value = percent_decode(item.substr(std::min(equals + 1, item.size())));
    if (!name || !value) return bad("a parameter is not valid percent-encoding");
    if (target.find(*name)) return bad(fmt::format("parameter \"{}\" is given twice", *name));
    target.parameters.push_back({std::move(*name), std::move(*value)});
  }
  return target;
}

std::optional<ApiProblem> check_parameters(const Target& target, std::span<const std::string_view> known) {
  for (const Target::Parameter& parameter : target.parameters) {
    if (std::ranges::find(known, parameter.name) != known.end()) continue;
    return ApiProblem{400, "unknown_parameter", fmt::format("there is no parameter \"{}\" here", parameter.name),
                      known.size() ? config::suggestion(parameter.name, known)
                                   : std::string("this path takes no parameters")};
  }
  return std::nullopt;
}

}  // namespace helio::control
