// The configuration file as a plain tree with source positions: what the TOML reader makes and everything after it
// uses, so that toml++ is seen by one translation unit only. Also what a reload compares, key by key.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace helio::config {

struct SourcePosition {
  std::uint32_t line = 0;  // from 1; 0: nowhere in the file
  std::uint32_t column = 0;
};

struct Node;
struct TableEntry;
using Array = std::vector<Node>;
using Table = std::vector<TableEntry>;  // in the order of the file
struct DateTime {};                     // TOML dates: no key takes one, kept to say so

struct Node {
  std::variant<bool, std::int64_t, double, std::string, DateTime, Array, Table> value;
  SourcePosition position;

  const Table* table() const { return std::get_if<Table>(&value); }
  const Array* array() const { return std::get_if<Array>(&value); }
  const std::string* text() const { return std::get_if<std::string>(&value); }
  const std::int64_t* integer() const { return std::get_if<std::int64_t>(&value); }
  const bool* boolean() const { return std::get_if<bool>(&value); }
  // The member of a table, or null; a dotted path goes down through tables.
  const Node* find(std::string_view path) const;
};

struct TableEntry {
  std::string key;
  SourcePosition position;  // of the key
  Node node;
};

// "true", "a string" (with quotes), "an integer", …: for messages.
std::string_view type_name(const Node& node);
// The value as TOML would write it on one line; "…" inside tables nested deeper than two levels.
std::string value_text(const Node& node);

}  // namespace helio::config
