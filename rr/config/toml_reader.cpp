#include "rr/config/toml_reader.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <tuple>

namespace helio::config {
namespace {

SourcePosition position_of(const toml::source_region& region) { return {region.begin.line, region.begin.column}; }

Node convert(const toml::node& from) {
  Node node;
  node.position = position_of(from.source());
  switch (from.type()) {
    case toml::node_type::boolean: node.value = from.as_boolean()->get(); break;
    case toml::node_type::integer: node.value = from.as_integer()->get(); break;
    case toml::node_type::floating_point: node.value = from.as_floating_point()->get(); break;
    case toml::node_type::string: node.value = from.as_string()->get(); break;
    case toml::node_type::array: {
      Array items;
      for (const toml::node& item : *from.as_array()) items.push_back(convert(item));
      node.value = std::move(items);
      break;
    }
    case toml::node_type::table: {
      Table entries;
      for (const auto& [key, value] : *from.as_table())
        entries.push_back({std::string(key.str()), position_of(key.source()), convert(value)});
      // toml++ keeps tables sorted by key; messages and comparisons follow the file.
      std::ranges::stable_sort(entries, [](const TableEntry& a, const TableEntry& b) {
        return std::tie(a.position.line, a.position.column) < std::tie(b.position.line, b.position.column);
      });
      node.value = std::move(entries);
      break;
    }
    default: node.value = DateTime{}; break;
  }
  return node;
}

}  // namespace

std::optional<Node> read_toml(std::string_view text, Problems& problems) {
  try {
    toml::table root = toml::parse(text);
    return convert(root);
  } catch (const toml::parse_error& error) {
    problems.error(position_of(error.source()), "", "not valid TOML: " + std::string(error.description()),
                   "nothing after this place was looked at");
    return std::nullopt;
  }
}

}  // namespace helio::config
