// Members of an answer of the API, for whoever shows them.
#pragma once
#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "rr/base/utf8.hpp"

namespace helio::ctl {

namespace json = boost::json;

// Tolerant of a daemon of another version: what is missing is empty or zero.
inline const json::value& member(const json::value& object, std::string_view key) {
  static const json::value kNull;
  const json::object* o = object.if_object();
  const json::value* found = o ? o->if_contains(json::string_view(key.data(), key.size())) : nullptr;
  return found ? *found : kNull;
}
inline std::string text(const json::value& object, std::string_view key) {
  const json::value& value = member(object, key);
  // Host names and reasons come from peers: nothing of theirs may steer the terminal.
  if (const json::string* s = value.if_string()) return to_printable(*s);
  return value.is_null() ? std::string() : json::serialize(value);
}
inline std::string text_or_dash(const json::value& object, std::string_view key) {
  std::string out = text(object, key);
  return out.empty() ? "-" : out;
}
inline double real(const json::value& object, std::string_view key) {
  const json::value& value = member(object, key);
  return value.is_number() ? value.to_number<double>() : 0;
}
inline std::int64_t integer(const json::value& object, std::string_view key) {
  json::error_code ignored;
  const json::value& value = member(object, key);
  return value.is_number() ? value.to_number<std::int64_t>(ignored) : 0;
}
inline bool flag(const json::value& object, std::string_view key) {
  const bool* value = member(object, key).if_bool();
  return value && *value;
}
inline const json::array& list(const json::value& object, std::string_view key) {
  static const json::array kEmpty;
  const json::array* items = member(object, key).if_array();
  return items ? *items : kEmpty;
}
inline std::string joined(const json::value& object, std::string_view key, std::string_view separator = " ") {
  std::string out;
  for (const json::value& item : list(object, key)) {
    if (!out.empty()) out += separator;
    out += item.is_string() ? to_printable(item.as_string()) : json::serialize(item);
  }
  return out;
}

}  // namespace helio::ctl
