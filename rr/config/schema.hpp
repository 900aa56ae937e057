// Every key of heliograph.toml in one table: type, bounds, default, what a reload of it costs, and one sentence.
// The structural check, "did you mean", the reload report and the test that holds the man page to the truth read it.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace helio::config {

enum class Kind : std::uint8_t {
  boolean,
  integer,    // min..max
  count,      // min..max or "all"
  fraction,   // min..max, an integer is taken too
  text,       // at most max characters
  name,       // 1..63 characters without spaces
  choice,     // one of `choices`
  address,    // IPv4 or IPv6
  prefix,     // address/length, no host bits
  router_id,  // dotted quad, not 0.0.0.0
  family,     // a family name
  duration,   // "20ms", "30s", "5m", "1h"; min..max milliseconds
  size,       // "64MiB" or a number of bytes
  path,       // relative to the configuration file
  mode,       // "0660"
  names,      // array of names
  families,   // array of family names
  texts,      // array of strings
};

// What changing the key in a running daemon takes.
enum class Reload : std::uint8_t { applied, session_reset, restart };

struct Key {
  std::string_view path;     // "peer-groups[].role"; "[]": array of tables, "*": a family name
  Kind kind;
  Reload reload;
  std::int64_t min = 0, max = 0;
  std::string_view choices;  // "client|non-client"
  std::string_view default_text;  // as TOML; "" when there is none; "required" when it must be given
  std::string_view help;
};

std::span<const Key> keys();

// A part of the schema that this version knows and checks but cannot do yet: used, it is refused, because silently
// doing nothing would be worse. `harmless` values ask for nothing and are accepted ("|" between several).
struct Unsupported {
  std::string_view path;      // a key, or a table with everything under it
  std::string_view harmless;  // TOML text of accepted values; empty: none
};
std::span<const Unsupported> unsupported();

// The table as a tree, for walking it beside a configuration.
struct SchemaNode {
  enum class Shape : std::uint8_t { leaf, table, tables };
  std::string name;                  // one segment, without "[]"
  Shape shape = Shape::table;
  const Key* key = nullptr;          // leaves
  const Unsupported* unsupported = nullptr;
  std::vector<SchemaNode> children;

  const SchemaNode* child(std::string_view name) const;  // falls back to "*"
};
const SchemaNode& schema();

}  // namespace helio::config
