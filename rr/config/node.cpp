#include "rr/config/node.hpp"

#include <fmt/format.h>

namespace helio::config {

const Node* Node::find(std::string_view path) const {
  const Table* entries = table();
  if (!entries) return nullptr;
  std::size_t dot = path.find('.');
  std::string_view head = path.substr(0, dot);
  for (const TableEntry& entry : *entries) {
    if (entry.key != head) continue;
    return dot == std::string_view::npos ? &entry.node : entry.node.find(path.substr(dot + 1));
  }
  return nullptr;
}

std::string_view type_name(const Node& node) {
  static constexpr std::string_view kNames[] = {"a boolean", "an integer", "a fraction", "a string",
                                                "a date",    "an array",   "a table"};
  return kNames[node.value.index()];
}

std::string value_text(const Node& node) {
  struct Writer {
    std::string operator()(bool b) const { return b ? "true" : "false"; }
    std::string operator()(std::int64_t n) const { return fmt::format("{}", n); }
    std::string operator()(double d) const { return fmt::format("{}", d); }
    std::string operator()(const std::string& s) const { return fmt::format("\"{}\"", s); }
    std::string operator()(DateTime) const { return "a date"; }
    std::string operator()(const Array& items) const {
      std::string out = "[";
      for (const Node& item : items) out += (out.size() > 1 ? ", " : "") + nested(item);
      return out + "]";
    }
    std::string operator()(const Table& entries) const {
      std::string out = "{";
      for (const TableEntry& entry : entries)
        out += fmt::format("{} {} = {}", out.size() > 1 ? "," : "", entry.key, nested(entry.node));
      return out + " }";
    }
    std::string nested(const Node& item) const {
      return depth >= 2 ? "…" : std::visit(Writer{depth + 1}, item.value);
    }
    int depth = 0;
  };
  return std::visit(Writer{}, node.value);
}

}  // namespace helio::config
