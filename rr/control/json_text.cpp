#include "rr/control/json_text.hpp"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <cmath>

#include "rr/base/utf8.hpp"

namespace helio::control {
namespace {

namespace json = boost::json;

void write(std::string& out, const json::value& value) {
  if (const json::object* object = value.if_object()) {
    out += '{';
    for (const auto& [key, member] : *object) {
      if (out.back() != '{') out += ',';
      out += json::serialize(json::string_view(key));
      out += ':';
      write(out, member);
    }
    out += '}';
  } else if (const json::array* array = value.if_array()) {
    out += '[';
    for (const json::value& item : *array) {
      if (out.back() != '[') out += ',';
      write(out, item);
    }
    out += ']';
  } else if (const double* number = value.if_double()) {
    // JSON has no infinity and no NaN.
    out += std::isfinite(*number) ? fmt::format("{}", *number) : "null";
  } else if (const json::string* text = value.if_string()) {
    out += json::serialize(json::string_view(to_valid_utf8(*text)));
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

std::string to_text(const json::value& value) {
  std::string out;
  write(out, value);
  return out;
}

}  // namespace helio::control
