#include "tests/unit/control/openapi_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <regex>

#include "rr/control/endpoints.hpp"

namespace helio::control {
namespace {

namespace json = boost::json;


const json::value& resolved(const json::value& schema) {
  const json::value* at = &schema;
  while (const json::value* reference = at->as_object().if_contains("$ref")) {
    const json::value* target = &openapi();
    std::string_view path = text(*reference).substr(2);  // "#/"
    while (!path.empty()) {
      std::string_view part = path.substr(0, path.find('/'));
      path.remove_prefix(std::min(part.size() + 1, path.size()));
      target = &target->as_object().at(json::string_view(part.data(), part.size()));
    }
    at = target;
  }
  return *at;
}

bool is_of_type(const json::value& value, std::string_view type) {
  if (type == "null") return value.is_null();
  if (type == "boolean") return value.is_bool();
  if (type == "string") return value.is_string();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  if (type == "number") return value.is_number();
  if (type == "integer") return value.is_int64() || value.is_uint64() || (value.is_double() && value.as_double() == std::floor(value.as_double()));
  return false;
}

std::string object_mismatch(const json::object& schema, const json::object& value, const std::string& at) {
  const json::value* properties = schema.if_contains("properties");
  if (const json::value* required = schema.if_contains("required"))
    for (const json::value& name : required->as_array())
      if (!value.contains(name.as_string())) return fmt::format("{} has no {}", at, text(name));
  const json::value* more = schema.if_contains("additionalProperties");
  if (more == nullptr) return fmt::format("{}: the schema does not say whether there may be other fields", at);
  for (const auto& [name, member] : value) {
    const json::value* of = properties != nullptr ? properties->as_object().if_contains(name) : nullptr;
    if (of == nullptr && !more->as_bool()) return fmt::format("{} has an unknown field {}", at, std::string_view(name.data(), name.size()));
    if (of == nullptr) continue;
    if (std::string bad = mismatch(*of, member, fmt::format("{}.{}", at, std::string_view(name.data(), name.size()))); !bad.empty()) return bad;
  }
  return {};
}

}  // namespace

const json::value& openapi() {
  static const json::value document = json::parse(json::string_view(openapi_document().data(), openapi_document().size()));
  return document;
}

std::string mismatch(const json::value& unresolved, const json::value& value, const std::string& at) {
  const json::object& schema = resolved(unresolved).as_object();
  std::string shown = json::serialize(value).substr(0, 80);
  for (const auto& [key, rule] : schema) {
    std::string_view keyword(key.data(), key.size());
    auto fails = [&](bool bad) { return bad ? fmt::format("{}: {} is not of {} {}", at, shown, keyword, json::serialize(rule)) : std::string(); };
    std::string bad;
    if (keyword == "type") {
      bad = fails(rule.is_string() ? !is_of_type(value, text(rule)) : std::ranges::none_of(rule.as_array(), [&](const json::value& t) { return is_of_type(value, text(t)); }));
    } else if (keyword == "enum") {
      bad = fails(std::ranges::find(rule.as_array(), value) == rule.as_array().end());
    } else if (keyword == "const") {
      bad = fails(value != rule);
    } else if (keyword == "minimum") {
      bad = fails(value.is_number() && value.to_number<double>() < rule.to_number<double>());
    } else if (keyword == "maximum") {
      bad = fails(value.is_number() && value.to_number<double>() > rule.to_number<double>());
    } else if (keyword == "maxLength") {
      bad = fails(value.is_string() && value.as_string().size() > rule.to_number<std::size_t>());
    } else if (keyword == "pattern") {
      bad = fails(value.is_string() && !std::regex_search(std::string(text(value)), std::regex(std::string(text(rule)))));
    } else if (keyword == "oneOf") {
      std::string why;
      auto fit = std::ranges::count_if(rule.as_array(), [&](const json::value& choice) {
        std::string no = mismatch(choice, value, at);
        if (!no.empty()) why += " / " + no;
        return no.empty();
      });
      if (fit != 1) bad = fmt::format("{}: {} of the choices fit{}", at, fit, why);
    } else if (keyword == "items") {
      if (value.is_array())
        for (std::size_t i = 0; i < value.as_array().size() && bad.empty(); ++i) bad = mismatch(rule, value.as_array()[i], fmt::format("{}[{}]", at, i));
    } else if (keyword != "description" && keyword != "required" && keyword != "properties" && keyword != "additionalProperties") {
      bad = fmt::format("{}: the keyword {} is not known here", at, keyword);
    }
    if (!bad.empty()) return bad;
  }
  return value.is_object() && schema.contains("properties") ? object_mismatch(schema, value.as_object(), at) : std::string();
}

std::string undocumented(const ApiRequest& request, const ApiResponse& response) {
  auto target = parse_target(request.target);
  json::value body = response.content_type == "application/json" && !response.stream ? json::parse(response.body) : json::value();
  const json::value& problem = openapi().at("components").at("schemas").at("Problem");
  if (!target || check_request(request.method, *target)) return response.status >= 400 ? mismatch(problem, body) : "it was refused, and answered";
  for (const auto& [path, item] : openapi().at("paths").as_object()) {
    std::string method = request.method == "GET" ? "get" : "post";
    std::string_view pattern(path.data(), path.size()), brace = pattern.substr(std::min(pattern.find('{'), pattern.size()));
    std::string_view before = pattern.substr(0, pattern.size() - brace.size()), after = brace.substr(std::min(brace.find('}') + 1, brace.size()));
    bool fits = brace.empty() ? target->path == pattern : target->path.starts_with(before) && target->path.ends_with(after);
    if (!fits || !item.as_object().contains(method)) continue;
    const json::object& answers = item.at(method).at("responses").as_object();
    const json::value* answer = answers.if_contains(std::to_string(response.status));
    if (answer == nullptr) return fmt::format("{} does not answer {}", pattern, response.status);
    const json::object& content = resolved(*answer).at("content").as_object();
    std::string type = response.stream ? "application/x-ndjson" : response.content_type;
    const json::value* as = content.if_contains(type);
    if (as == nullptr) return fmt::format("{} is not answered as {}", pattern, type);
    if (type != "application/json") return {};
    return mismatch(as->at("schema"), body);
  }
  return "there is no such path";
}

}  // namespace helio::control
