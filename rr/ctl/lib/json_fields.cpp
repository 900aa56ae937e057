#include "rr/ctl/lib/json_fields.hpp"

#include <boost/json.hpp>

#include "rr/base/utf8.hpp"

namespace helio::ctl {

namespace json = boost::json;

const json::value& member(const json::value& object, std::string_view key) {
  static const json::value kNull;
  const json::object* o = object.if_object();
  const json::value* found = o ? o->if_contains(json::string_view(key.data(), key.size())) : nullptr;
  return found ? *found : kNull;
}

std::string text(const json::value& object, std::string_view key) {
  const json::value& value = member(object, key);
  // Host names and reasons come from peers: nothing of theirs may steer the terminal.
  if (const json::string* s = value.if_string()) return to_printable(*s);
  return value.is_null() ? std::string() : json::serialize(value);
}

std::string text_or_dash(const json::value& object, std::string_view key) {
  std::string out = text(object, key);
  return out.empty() ? "-" : out;
}

double real(const json::value& object, std::string_view key) {
  const json::value& value = member(object, key);
  return value.is_number() ? value.to_number<double>() : 0;
}

std::int64_t integer(const json::value& object, std::string_view key) {
  json::error_code ignored;
  const json::value& value = member(object, key);
  return value.is_number() ? value.to_number<std::int64_t>(ignored) : 0;
}

bool flag(const json::value& object, std::string_view key) {
  const bool* value = member(object, key).if_bool();
  return value && *value;
}

const json::array& list(const json::value& object, std::string_view key) {
  static const json::array kEmpty;
  const json::array* items = member(object, key).if_array();
  return items ? *items : kEmpty;
}

std::string joined(const json::value& object, std::string_view key, std::string_view separator) {
  std::string out;
  for (const json::value& item : list(object, key)) {
    if (!out.empty()) out += separator;
    out += item.is_string() ? to_printable(item.as_string()) : json::serialize(item);
  }
  return out;
}

}  // namespace helio::ctl
